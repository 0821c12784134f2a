"""Which format a table has, and opening it: by the name that the user gives it, by its ending, by what it begins with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.arguments import checked_choice
from retrieval.errors import InputError
from retrieval.tables.content import Content, beginning, reading
from retrieval.tables.markdown import MarkdownTable, is_markdown
from retrieval.tables.rows import Table
from retrieval.tables.separator import DELIMITERS, find_delimiter

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
#: What is no delimited text, by its beginning.
_OTHERS = ((b"PK\x03\x04", "a zip or spreadsheet file"), (b"PAR1", "a Parquet file"))


@dataclass(frozen=True)
class TableOptions:
    """How a table is written, as far as it does not say so itself.

    Attributes:
        format: one of :data:`TABLE_FORMATS`; None to tell by the name and by what is in it.
        quoting: of delimited files: ``auto``, ``quoted`` or ``none``, see :class:`~retrieval.tables.delimited.DelimitedTable`.
        header: of delimited files and spreadsheets: ``first`` (row) or ``none`` (the columns are called 1, 2, 3, …).
        delimiter: of delimited files, one of :data:`DELIMITERS`, which wins over ``format``; ``auto`` for the one that a first line
            ``sep=;`` declares, or at which the header splits into columns that are known. Without a header, the one that splits most
            of the first 200 lines alike, into as many columns as are named or more. There may be one column alone: under a header
            that no delimiter splits, or where no other is named. Then a line is its value, unless a comma, semicolon or bar splits
            (nearly) all alike and with no white space after it, as it has in sentences.

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

    _check_is_text(content)
    may_have_bars = options.delimiter in ("auto", "pipe") and kind != "tsv"
    if may_have_bars and options.header == "first" and options.quoting != "quoted" and is_markdown(content):
        return MarkdownTable(content)
    if options.delimiter != "auto":
        delimiter = DELIMITERS[options.delimiter]
    else:
        expected = {"csv": ",", "tsv": "\t"}.get(kind)
        delimiter = find_delimiter(content, expected, options.header, options.quoting, recognised)
    return DelimitedTable(content, delimiter, quoting=options.quoting, header=options.header)


def _check_is_text(content: Content) -> None:
    """Refuse a file of another format under the name of a delimited one."""
    with content.open() as file, reading(content):
        start = beginning(file, 4)
    for magic, found in _OTHERS:
        if start.startswith(magic):
            raise InputError(
                f"{content}: expected text separated by commas or tabs, found {found}",
                hint="name it by its format or export it as CSV",
            )
