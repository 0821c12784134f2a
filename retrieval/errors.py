"""The one exception type for mistakes a user can correct."""


class InputError(ValueError):
    """Bad input, configuration or stored state, described for the person who can correct it.

    The message names what was wrong, what was found and what to do. Command lines print it and exit with status 2,
    without a traceback; any other exception is a defect of this software.
    """
