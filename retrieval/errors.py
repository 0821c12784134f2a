"""The one exception type for mistakes a user can correct."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["InputError", "as_input_error", "first_line"]

# Some errors repeat the text that they are about.
_LONGEST_SAID = 200


class InputError(ValueError):
    """Bad input, configuration or stored state, described for the person who can correct it.

    Its text names what was wrong, what was found and what to do. Parameters stand in backticks (`` `top_k` ``), never as a
    flag: a library does not know who calls it. Command lines replace them by their own flags, print the text in one line and
    exit with status 2, without a traceback; any other exception is a defect of this software.

    Args:
        message: what was wrong and what was found.
        field: the parameter, column or configuration key that it is about.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.field, self.hint = field, hint

    @property
    def message(self) -> str:
        """What was wrong and what was found, without the hint."""
        return str(self.args[0])

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@contextmanager
def as_input_error(
    what: str, *kinds: type[Exception], field: str | None = None, hint: str | None = None
) -> Iterator[None]:
    """What a library raises over something of the user's becomes an :class:`InputError`; one that is raised within is left alone.

    Args:
        what: what is wrong, as the message begins; the first line of the library's error follows in brackets.
        kinds: the errors that are the user's to correct; all others are defects.
        field, hint: of the :class:`InputError`.

    >>> with as_input_error("`price` is no number", ValueError, field="price"):
    ...     float("dear")
    Traceback (most recent call last):
    retrieval.errors.InputError: `price` is no number (could not convert string to float: 'dear')
    """
    try:
        yield
    except InputError:
        raise
    except kinds as error:
        raise InputError(f"{what} ({first_line(error)})", field=field, hint=hint) from error


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line of at most 200 characters: its first, else the name of its class."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return said if len(said) <= _LONGEST_SAID else said[: _LONGEST_SAID - 1] + "…"
