"""Spreadsheets (.xlsx), by python-calamine."""

from collections.abc import Iterator
from typing import Any

from retrieval.errors import InputError, as_input_error
from retrieval.tables.content import Content
from retrieval.tables.rows import Row, Table

__all__ = ["ExcelTable"]


class ExcelTable(Table):
    """The first sheet of a workbook; rows of empty cells alone are none. The sheet is held in memory: it has at most 2**20 rows.

    Args:
        content: the workbook.
        header: ``first``: the first row names the columns; ``none``: they are called 1, 2, 3, …

    Raises:
        InputError: the file is no workbook, has no sheet or an empty one, or python-calamine is not installed.
    """

    def __init__(self, content: Content, *, header: str = "first") -> None:
        try:
            from python_calamine import CalamineError, CalamineWorkbook
        except ImportError:
            raise InputError(
                f"{content}: spreadsheets are read by python-calamine, which is not installed",
                hint="install the extra 'excel' (python-calamine), or export the sheet as CSV (UTF-8)",
            ) from None
        self.where, self._path = str(content), content.path
        with as_input_error(f"{content}: not a readable spreadsheet", CalamineError, OSError):
            book = CalamineWorkbook.from_path(content.path)
            names = book.sheet_names
            self._cells = book.get_sheet_by_index(0).to_python(skip_empty_area=True) if names else []
        if not self._cells:
            raise InputError(f"{content}: the first sheet is empty; expected a row of headers and one row a claim")
        width = max(map(len, self._cells))
        self._first = 1 if header == "first" else 0
        self.names = [str(i) for i in range(1, width + 1)]
        if self._first:
            self.names = [str(cell).strip() for cell in self._cells[0]]

    def _rows(self, skip: int) -> Iterator[Row]:
        number = 0
        for line, cells in enumerate(self._cells[self._first :], self._first + 1):
            values = {name: _value(cell) for name, cell in zip(self.names, cells, strict=False)}
            if all(value is None for value in values.values()):
                continue
            if number >= skip:
                yield Row(number, values, None, line, sum(len(v) if isinstance(v, str) else 8 for v in values.values()))
            number += 1


def _value(cell: Any) -> Any:
    """A cell as other formats have it: None where it is empty, whole numbers as such."""
    if isinstance(cell, str):
        return cell if cell.strip() else None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
