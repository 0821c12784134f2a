"""The subcommands of ``factcheck``: each module has ``add_arguments(parser)`` and ``run(args)``."""
