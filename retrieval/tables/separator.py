"""Which character separates the fields of a delimited file: its first line says so, its header tells, or its first rows do."""

import logging
from collections.abc import Callable, Sequence

from retrieval.errors import InputError
from retrieval.tables.content import Content
from retrieval.tables.header import FirstRows, declared_delimiter, first_lines, first_rows, numbers, read_header

__all__ = ["DELIMITERS", "NO_DELIMITER", "find_delimiter"]

#: Names of the characters that may separate fields.
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
#: Of a table of one column, where every character is text: half of a surrogate pair, which no decoded text holds.
NO_DELIMITER = "\ud800"
# Where several do as well, the one that is least often met in a text.
_BY_RARITY = ("\t", "|", ";", ",")
_PLURAL = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
# Of so many rows, and so alike, that a mark which sentences have as well separates fields.
_FEWEST, _MOST = 2, 0.95
_logger = logging.getLogger("retrieval")


def find_delimiter(
    content: Content, expected: str | None, header: str, quoting: str, recognised: Callable[[Sequence[str]], int]
) -> str:
    """The character that separates the fields; :data:`NO_DELIMITER` where there is one column.

    Args:
        content: the file.
        expected: the delimiter of the format that the user names, or None.
        header, quoting: see :class:`retrieval.tables.TableOptions`.
        recognised: how many of the names of columns a reader knows.

    Raises:
        InputError: the file is empty or cannot be split, or another delimiter than the ``expected`` one splits it.
    """
    declared = declared_delimiter(content)
    if declared is not None:
        if expected is not None:
            _check_agrees(content, "columns are", declared, expected)
        return declared
    if header == "none":
        return _by_lines(content, expected, quoting, recognised)
    return _by_header(content, expected, quoting, recognised)


def _by_header(content: Content, expected: str | None, quoting: str, recognised: Callable[[Sequence[str]], int]) -> str:
    """The character at which the header splits into columns that are known."""
    widths: dict[str, int] = {}
    fits: dict[str, int] = {}
    failure: InputError | None = None
    for delimiter in _PLURAL:
        try:
            names, _, _ = read_header(content, delimiter, quoting)
        except InputError as error:
            failure = failure or error
            continue
        widths[delimiter] = len(names)
        known = recognised(names)
        if known:
            fits[delimiter] = known
    if not widths and failure is not None:
        raise failure
    if failure is None and set(widths.values()) == {1}:
        return _under_one_name(content, quoting)
    if expected in fits:
        return str(expected)
    best = max(fits, key=lambda d: (fits[d], widths[d]), default=None)
    if expected is not None and best is not None:
        _check_agrees(content, "header is", best, expected)
    if best is None and failure is not None and max(widths.values()) == 1:
        raise failure  # a header that cannot be split comes before one of a single column
    # Where no column is known, that of both usual ones which splits the header.
    return best or expected or max((d for d in ("\t", ",") if d in widths), key=lambda d: widths[d], default=",")


def _check_agrees(content: Content, what: str, best: str, expected: str) -> None:
    """Refuse a format whose delimiter is another; what programs call CSV is in many countries separated by semicolons."""
    if best != expected and not (expected == "," and best in ";|"):
        raise InputError(
            f"{content}: the {what} separated by {_PLURAL[best]}, not by {_PLURAL[expected]}",
            field="format",
            hint="name the right format, or none",
        )


def _by_lines(content: Content, expected: str | None, quoting: str, recognised: Callable[[Sequence[str]], int]) -> str:
    """The character that splits most of the first rows alike, into at least as many columns as are named."""
    lines = first_lines(content)
    if expected == "\t":
        return expected
    found = {d: first_rows(lines, d, quoting) for d in _BY_RARITY}
    split = {d: rows for d, rows in found.items() if rows.width > 1}
    fits = {d: rows for d, rows in split.items() if recognised(numbers(rows.width))}
    if recognised(numbers(1)):
        fits = _throughout(content, fits)
        if not fits:
            return NO_DELIMITER
    best = max(fits or split or found, key=lambda d: (found[d].share, found[d].sound, found[d].tight, found[d].width))
    if expected is not None and best in split:
        _check_agrees(content, "rows are", best, expected)
    return best


def _under_one_name(content: Content, quoting: str) -> str:
    """No delimiter where a header names one column, unless one evidently separates more columns than are named."""
    lines = first_lines(content)[1:]
    found = {d: first_rows(lines, d, quoting) for d in _BY_RARITY}
    split = {d: rows for d, rows in found.items() if rows.width > 1}
    return next((d for d, r in split.items() if _separates(r) or (d == "\t" and r.share > 0.5)), NO_DELIMITER)


def _separates(rows: FirstRows) -> bool:
    """Whether a delimiter stands in the rows as it does in hardly any text."""
    return rows.rows >= _FEWEST and min(rows.share, rows.tight) >= _MOST


def _throughout(content: Content, fits: dict[str, FirstRows]) -> dict[str, FirstRows]:
    """Of delimiters those that separate columns where a text alone may be all there is: others may be its punctuation."""
    if "\t" in fits:
        return {"\t": fits["\t"]}
    sure = {d: rows for d, rows in fits.items() if _separates(rows)}
    regular = [d for d, rows in fits.items() if rows.rows >= _FEWEST and rows.share >= _MOST]
    if regular and not sure:
        _logger.warning(
            "%s: read as one column, as sentences have %s, too; if they separate columns here, say so with `delimiter`",
            *(content, _PLURAL[regular[0]]),
        )
    return sure
