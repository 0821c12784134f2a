"""Which format a table has, and opening it: by the name that the user gives it, by its ending, by what it begins with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.arguments import checked_choice
from retrieval.errors import InputError
from retrieval.tables.content import Content, beginning, reading
from retrieval.tables.rows import Table

__all__ = ["DELIMITERS", "TABLE_FORMATS", "TableOptions", "format_of", "open_table"]

#: Formats that can be named.
TABLE_FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "xlsx")
#: Format by the ending of the name. Factify's .csv files are tab-separated, so the header decides between csv and tsv.
SUFFIXES = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
}
#: Names of the characters that may separate fields.
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
#: What is no delimited text, by its beginning.
_OTHERS = ((b"PK\x03\x04", "a zip or spreadsheet file"), (b"PAR1", "a Parquet file"))


@dataclass(frozen=True)
class TableOptions:
    """How a table is written, as far as it does not say so itself.

    Attributes:
        format: one of :data:`TABLE_FORMATS`; None to tell by the name and by what is in it.
        quoting: of delimited files: ``auto``, ``quoted`` or ``none``, see :class:`~retrieval.tables.delimited.DelimitedTable`.
        header: of delimited files and spreadsheets: ``first`` (row) or ``none`` (the columns are called 1, 2, 3, …).
        delimiter: of delimited files, one of :data:`DELIMITERS`, which wins over ``format``; ``auto`` for the one at which the header
            splits into columns that are known (without a header: tabs, commas, semicolons or bars, the first that splits most lines).

    Raises:
        InputError: an option has another value.
    """

    format: str | None = None
    quoting: str = "auto"
    header: str = "first"
    delimiter: str = "auto"

    def __post_init__(self) -> None:
        if self.format is not None:
            checked_choice("format", self.format, TABLE_FORMATS)
        checked_choice("quoting", self.quoting, ("auto", "quoted", "none"))
        checked_choice("header", self.header, ("first", "none"))
        checked_choice("delimiter", self.delimiter, ("auto", *DELIMITERS))


def format_of(content: Content) -> str | None:
    """The format of a file by the ending of its name, else by what it begins with; None where neither says.

    ``delimited`` stands for csv and tsv.
    """
    known = SUFFIXES.get(content.suffix)
    if known is not None:
        return known
    with content.open() as file, reading(content):
        start = beginning(file, 64)
    if start.startswith(b"PAR1"):
        return "parquet"
    return "jsonl" if start.lstrip()[:1] in (b"{", b"[") else None


def open_table(content: Content, options: TableOptions, recognised: Callable[[Sequence[str]], int]) -> Table:
    """Open a table: its header is read, or its first rows where it has none.

    Args:
        content: the file.
        options: see :class:`TableOptions`.
        recognised: how many of the names of columns a reader knows, by which the delimiter is told.

    Raises:
        InputError: the format is unknown, or the file is not of it.
    """
    kind = options.format or format_of(content)
    if kind is None:
        raise InputError(
            f"{content}: cannot tell the format by the ending {content.suffix!r}; expected {', '.join(SUFFIXES)}",
            field="format",
            hint=f"give the file such a name, or `format`, one of {', '.join(TABLE_FORMATS)}",
        )
    if kind == "parquet":
        from retrieval.tables.arrow import ParquetTable

        return ParquetTable(content)
    if kind == "xlsx":
        from retrieval.tables.excel import ExcelTable

        return ExcelTable(content, header=options.header)
    if kind in ("jsonl", "json"):
        from retrieval.tables.jsonl import JsonTable

        return JsonTable(content)
    from retrieval.tables.delimited import DelimitedTable

    delimiter = _delimiter(content, {"csv": ",", "tsv": "\t"}.get(kind), options, recognised)
    return DelimitedTable(content, delimiter, quoting=options.quoting, header=options.header)


def _delimiter(
    content: Content, expected: str | None, options: TableOptions, recognised: Callable[[Sequence[str]], int]
) -> str:
    """The character at which the header splits into columns that are known.

    Raises:
        InputError: the file is no such text, or another than the ``expected`` one splits it.
    """
    from retrieval.tables.delimited import numbered_columns, read_header

    with content.open() as file, reading(content):
        start = beginning(file, 4)
    for magic, found in _OTHERS:
        if start.startswith(magic):
            raise InputError(
                f"{content}: expected text separated by commas or tabs, found {found}",
                hint="name it by its format or export it as CSV",
            )
    if options.delimiter != "auto":
        return DELIMITERS[options.delimiter]
    widths: dict[str, int] = {}
    fits: dict[str, int] = {}
    failure: InputError | None = None
    for delimiter in _SEPARATORS:
        try:
            if options.header == "none":
                header = numbered_columns(content, delimiter, options.quoting)
            else:
                header, _, _ = read_header(content, delimiter, options.quoting)
        except InputError as error:
            failure = failure or error
            continue
        widths[delimiter] = len(header)
        known = recognised(header)
        if known:
            fits[delimiter] = known
    if not widths and failure is not None:
        raise failure
    if options.header == "none":
        usual = [d for d in (expected, "\t", ",", ";", "|") if d in widths]
        return max(usual, key=lambda d: (d == expected, widths[d] > 1), default=",")
    if expected in fits:
        return str(expected)
    best = max(fits, key=lambda d: (fits[d], widths[d]), default=None)
    # What programs call CSV is in many countries separated by semicolons.
    if expected is not None and best is not None and not (expected == "," and best in ";|"):
        raise InputError(
            f"{content}: the header is separated by {_SEPARATORS[best]}, not by {_SEPARATORS[expected]}",
            field="format",
            hint="name the right format, or none",
        )
    if best is None and failure is not None and max(widths.values()) == 1:
        raise failure  # a header that cannot be split comes before one of a single column
    # Where no column is known, that of both usual ones which splits the header.
    return best or expected or max((d for d in ("\t", ",") if d in widths), key=lambda d: widths[d], default=",")


def recognised_any(names: Sequence[Any]) -> int:
    """For readers that take any columns: more are better."""
    return len(names)
