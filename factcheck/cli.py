"""The ``factcheck`` command: one line a subcommand here, the work (and its heavy imports) in ``factcheck.commands``."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from factcheck._version import __version__
from factcheck.commands.common import set_up_logging
from factcheck.commands.messages import flags_of, in_words_of_the_command_line
from factcheck.errors import InputError

__all__ = ["main"]

logger = logging.getLogger("factcheck")

#: subcommand → (module with ``add_arguments(parser)`` and ``run(args)``, one line of help)
COMMANDS = {
    "verify": ("factcheck.commands.verify", "verify a table of claims and write the verdict table"),
    "evaluate": ("factcheck.commands.evaluate", "score a verdict table against gold labels"),
    "report": ("factcheck.commands.report", "write a page to look at verdicts, with or without gold labels"),
    "compare": ("factcheck.commands.compare", "compare two verdict tables of the same claims"),
    "attribution": ("factcheck.commands.attribution", "measure whether verdicts rest on the sentences that are named"),
    "robustness": ("factcheck.commands.robustness", "count verdicts that flip when the input is changed"),
    "export": ("factcheck.commands.export", "turn a training checkpoint into a model folder"),
    "calibrate": ("factcheck.commands.calibrate", "fit confidences of a model or judge on labelled claims"),
    "review": ("factcheck.commands.review", "decide on verdicts in a local page, and export what was decided"),
    "serve": ("factcheck.commands.serve", "answer requests for verdicts as a JSON endpoint"),
    "index": ("factcheck.commands.index", "build, search and inspect an evidence index"),
    "photos": ("factcheck.commands.photos", "evaluate photo encoders at copy detection"),
    "verdicts": ("factcheck.commands.verdicts", "change the threshold of verdict tables, or merge shards of one"),
    "demo": ("factcheck.commands.demo", "verify the bundled sample with the bundled model"),
}
#: Subcommands of the Lightning CLI, which parses its own arguments.
LIGHTNING = {
    "fit": "train from a configuration (Lightning CLI)",
    "validate": "evaluate a checkpoint on validation data (Lightning CLI)",
    "test": "evaluate a checkpoint on test data (Lightning CLI)",
    "predict": "verify claims with a checkpoint, as 'verify' does with a model folder (Lightning CLI)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0 done, 2 the user must correct something, others as the command says)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    set_up_logging()
    flags: dict[str, str] = {}  # of the chosen command, for messages
    try:
        if argv and argv[0] in LIGHTNING:
            _check_configurations(argv)
            _keep_few_kernels()
            from factcheck.commands.lightning import run_lightning

            return run_lightning(argv)
        # Only the chosen command's module is imported, so that `factcheck --help` and errors stay instant.
        parser = _parser(argv[0] if argv else None)
        args, unknown = parser.parse_known_args(argv)
        flags = getattr(args, "flags", flags)
        if "query" in args and not any(word.startswith("-") for word in unknown):
            # argparse takes an empty list of queries where an option stands before them.
            args.query, unknown = [*args.query, *unknown], []
        if unknown:
            raise InputError(f"unknown argument {unknown[0]!r}; see 'factcheck {argv[0]} --help'")
        set_up_logging(args.log_format, flags)
        return int(args.run(args) or 0)
    except InputError as error:
        logger.error("%s", in_words_of_the_command_line(error, flags))
        return 2
    except KeyboardInterrupt:
        logger.error("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is its choice, not an error.
        sys.stderr.close()
        return 0
    except OSError as error:
        # A disk that is full, a file without the right to it: the user's to correct, wherever it shows.
        what = error.strerror or str(error).strip().split("\n")[0] or type(error).__name__
        place = f"{error.filename!r}: " if error.filename else ""
        logger.error("%s%s", place, what)
        return 2


class _Parser(argparse.ArgumentParser):
    """A parser that says in one line what was wrong; the usage is what ``--help`` is for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"factcheck: error: {message}; see '{self.prog} --help'\n")


def _check_configurations(argv: Sequence[str]) -> None:
    """Refuse a training command without arguments or with a configuration that is not there, before the heavy imports."""
    if len(argv) == 1:
        raise InputError(f"{argv[0]}: give --config FILE, for example --config configs/quickstart.yaml")
    for flag, value in zip(argv, [*argv[1:], ""], strict=True):
        name, equals, joined = flag.partition("=")
        path = joined if equals else value
        if name in ("--config", "-c") and not Path(path).is_file():
            raise InputError(f"configuration {path!r}: no such file")


def _keep_few_kernels() -> None:
    """Before torch is loaded: a CPU kernel made for each length of text, 1,024 of them kept, took 10 GB in 850 steps of a training."""
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, "64")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = _Parser(prog="factcheck", description="Check claims (text and photo) against evidence.")
    parser.add_argument("--version", action="version", version=f"factcheck {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            command = importlib.import_module(module)
            command.add_arguments(sub)
            sub.add_argument(
                "--log-format",
                choices=("text", "json"),
                default="text",
                help="what standard error gets: lines for people (default), or a JSON object a line",
            )
            sub.set_defaults(run=command.run, flags=flags_of(sub))
    for name, summary in LIGHTNING.items():
        commands.add_parser(name, help=summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
