"""Tables as Markdown writes them: ``| id | claim |``, a line ``|----|-------|`` under the header, then a row a line."""

import re
from collections.abc import Iterator

from retrieval.tables.content import Content
from retrieval.tables.dialect import misfit
from retrieval.tables.lines import Lines
from retrieval.tables.rows import Fault, Row, Table

__all__ = ["MarkdownTable", "is_markdown"]

_BAR = re.compile(r"(?<!\\)\|")
# A cell of the line under the header, with colons for how a column is aligned.
_RULE = re.compile(r":?-+:?")


def is_markdown(content: Content) -> bool:
    """Whether a file begins with a header and a line of as many rules under it, both with bars between or around."""
    lines = Lines(content)
    try:
        header, rules = _next(lines), _next(lines)
    finally:
        lines.close()
    if header is None or rules is None or not (_BAR.search(header) and "|" in rules):
        return False
    found = _cells(rules)
    if len(found) != len(_cells(header)) or not all(map(_RULE.fullmatch, found)):
        return False
    # Without bars around it a line of single dashes may be a row of cells that say so that they are empty.
    return rules.strip().startswith("|") or any(len(cell) > 1 for cell in found)


class MarkdownTable(Table):
    r"""A file for which :func:`is_markdown` holds. Cells lose the white space around them, ``\|`` is a bar, quotation marks are letters.

    A line of more or fewer cells than the header is a row with a fault.
    """

    is_text = True

    def __init__(self, content: Content) -> None:
        self.where, self._content = str(content), content
        self._id: str | None = None
        lines = Lines(content)
        try:
            self.names = _cells(_next(lines) or "")
            self.header_fault = lines.fault
        finally:
            lines.close()

    def only_id_of(self, name: str) -> None:
        """The id of a row of another width can be told where it is in the first column."""
        self._id = name if name == self.names[0] else None

    def _rows(self, skip: int) -> Iterator[Row]:
        lines = Lines(self._content)
        number = 0
        try:
            _next(lines), _next(lines)
            while (line := _next(lines)) is not None:
                if number >= skip:
                    yield self._row(number, line, lines)
                number += 1
        finally:
            lines.close()

    def _row(self, number: int, line: str, lines: Lines) -> Row:
        cells = _cells(line)
        if len(cells) == len(self.names):
            return Row(number, dict(zip(self.names, cells, strict=True)), lines.fault, lines.number, len(line))
        told = {self._id: cells[0]} if self._id is not None and len(cells) > 1 else {}
        return Row(number, told, Fault(misfit(len(cells), len(self.names))), lines.number, len(line))


def _next(lines: Lines) -> str | None:
    """The next line with something in it."""
    while True:
        lines.begin_record()
        line = next(lines, None)
        if line is None or not line.isspace():
            return line


def _cells(line: str) -> list[str]:
    """What stands between the bars of a line, those at its two ends left out."""
    cells = [cell.strip() for cell in _BAR.split(line.strip())]
    first = 1 if len(cells) > 1 and not cells[0] else 0
    last = len(cells) - 1 if len(cells) > first + 1 and line.rstrip().endswith("|") and not cells[-1] else len(cells)
    return [cell.replace("\\|", "|") for cell in cells[first:last]]
