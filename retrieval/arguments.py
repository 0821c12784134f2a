"""Arguments of the public calls, checked before they fail deep inside or are read as something else."""

import math
from collections.abc import Collection, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from retrieval.errors import InputError

__all__ = [
    "as_list",
    "as_texts",
    "check_image_encoder",
    "checked_choice",
    "checked_file",
    "checked_folder",
    "checked_int",
    "checked_number",
    "checked_share",
]


def as_list(values: Any, what: str) -> list[Any]:
    """Several ``what`` (a plural) as a list, by position: pandas looks up by label, and a generator can be read only once.

    Args:
        values: a list, a tuple, an array, a pandas Series, an Arrow array or a generator.
        what: what they are, for the message.

    Raises:
        InputError: one text or one file, a mapping, a table, or nothing that could be gone through.
    """
    # Of a mapping or a table the keys or the columns would be read, without a word.
    refused = isinstance(values, str | bytes | bytearray | memoryview | Mapping) or getattr(values, "ndim", 1) != 1
    if refused or not isinstance(values, Iterable):
        found = "one string" if isinstance(values, str) else type(values).__name__
        raise InputError(f"{what} are {found}, expected a list", hint=f"give a list of {what}, also for one")
    return [value.as_py() if hasattr(value, "as_py") else value for value in values]  # Arrow's scalars know that method


def as_texts(values: Any, what: str) -> list[str]:
    """As :func:`as_list`, and each a string.

    Raises:
        InputError: also where one is no string, with its position (from 0) and type.
    """
    texts = as_list(values, what)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{what}[{i}] is {type(text).__name__}, expected a string", hint="give a list of strings")
    return texts


def checked_int(name: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``, perhaps one of NumPy's, as an int; InputError for others, and for booleans."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"`{name}` is {value!r}, expected a whole number of at least {least}", field=name)
    return int(value)


def checked_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """One of some names; InputError for anything else."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"`{name}` is {value!r}, expected one of {', '.join(choices)}", field=name)
    return value


def checked_share(name: str, value: Any, *, above_zero: bool = False) -> float:
    """A number in [0, 1], or in (0, 1], as a float; InputError for others, and for booleans."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= 1 or (above_zero and not number):
        raise InputError(f"`{name}` is {value!r}, expected a number in {'(' if above_zero else '['}0, 1]", field=name)
    return number


def checked_file(what: str, path: str | Path, *, field: str | None = None, hint: str | None = None) -> Path:
    """A file that is there; InputError otherwise, which begins with ``what``, such as ``queries 'q.jsonl'``."""
    if not Path(path).is_file():
        raise InputError(f"{what}: no such file", field=field, hint=hint)
    return Path(path)


def checked_folder(name: str, path: str | Path, hint: str | None = None) -> Path:
    """A folder that is there, as the parameter ``name`` gives it; InputError otherwise."""
    if not Path(path).is_dir():
        raise InputError(f"`{name}` {str(path)!r} is not a folder", field=name, hint=hint)
    return Path(path)


def check_image_encoder(encoder: Any) -> None:
    """Refuse what cannot embed images; a name is not enough, as nothing here could load it."""
    if isinstance(encoder, type) or not callable(getattr(encoder, "embed_images", None)):
        found = repr(encoder) if isinstance(encoder, str | type) else type(encoder).__name__
        raise InputError(
            f"`image_encoder` is {found}, expected an object with a method embed_images (encoded image files to vectors)",
            field="image_encoder",
        )


def checked_number(name: str, value: Any, least: float = 0.0, below: float = math.inf) -> float:
    """A number in [``least``, ``below``) as a float; InputError for others, for what is no number, and for booleans."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not least <= number < below:
        wanted = f"in [{least:g}, {below:g})" if below < math.inf else f"of at least {least:g}"
        raise InputError(f"`{name}` is {value!r}, expected a number {wanted}", field=name)
    return number
