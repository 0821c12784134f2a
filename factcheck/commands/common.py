"""What several subcommands share: option parsing and output for people."""

import argparse
import contextlib
import json
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from factcheck.commands.messages import in_words_of_the_command_line
from factcheck.errors import InputError
from retrieval.durable import replacing
from retrieval.tables.delimited import HEADERS, QUOTINGS
from retrieval.tables.formats import DELIMITERS, TABLE_FORMATS
from retrieval.text.dates import DATE_ORDERS

if TYPE_CHECKING:
    from rich.console import Console

    from factcheck.data.claims import ClaimsFormat

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

__all__ = [
    "Stop",
    "add_reading_arguments",
    "add_table_arguments",
    "claims_format",
    "column_mapping",
    "console",
    "count_or_share",
    "counted",
    "positive",
    "printable",
    "probability",
    "quiet_libraries",
    "set_up_logging",
    "share",
    "stoppable",
    "write_json",
]


def column_mapping(text: str | None, flag: str = "--columns") -> dict[str, str] | None:
    """What ``flag`` says: ``claim=text,document=body`` as ``{"claim": "text", "document": "body"}``.

    Raises:
        InputError: a piece is not of the form ``name=column``.
    """
    if not text:
        return None
    mapping = {}
    for piece in text.split(","):
        name, equals, column = piece.partition("=")
        if not (equals and name.strip() and column.strip()):
            raise InputError(f"{flag}: {piece!r} is not of the form NAME=COLUMN (for example claim=text,document=body)")
        if name.strip() in mapping:
            raise InputError(f"{flag}: {name.strip()!r} is given twice; give each field one column")
        mapping[name.strip()] = column.strip()
    return mapping


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def probability(text: str) -> float:
    """An argparse type: a number in [0, 1]."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number in [0, 1]")


def share(text: str) -> float:
    """An argparse type: a number in (0, 1]."""
    return _number(text, float, lambda value: 0 < value <= 1, "a number in (0, 1]")


def positive(text: str) -> int:
    """An argparse type: an integer of at least 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number of at least 1")


def add_table_arguments(parser: Any, example: str = "claim=2,label=1") -> None:
    """Declare the options of how any table is written, of claims or of a corpus; ``example`` names columns by number."""
    parser.add_argument(
        "--quoting",
        choices=QUOTINGS,
        default="auto",
        help="of CSV and TSV: quotation marks quote fields, or are letters; auto: as the whole file shows (default)",
    )
    parser.add_argument(
        "--delimiter",
        choices=("auto", *DELIMITERS),
        default="auto",
        help="what separates the fields of CSV and TSV; auto: what splits the header into known columns, or the first rows alike (default)",
    )
    parser.add_argument(
        "--header",
        choices=HEADERS,
        default="first",
        help=f"none: the table has no header, its columns are called 1, 2, 3, … (as in --columns {example})",
    )
    parser.add_argument(
        "--date-order",
        choices=DATE_ORDERS,
        default="auto",
        help="of dates such as 5/3/2020; auto: as other dates of the column show (default)",
    )


def add_reading_arguments(parser: Any) -> None:
    """Declare the options that say how a claims table is written; :func:`claims_format` reads them with ``--columns``."""
    group = parser.add_argument_group("how the table is written")
    group.add_argument(
        "--format",
        choices=(*TABLE_FORMATS, "datasets"),
        help="default: by its ending and by what is in it",
    )
    add_table_arguments(group)
    group.add_argument(
        "--labels",
        metavar="NAME=LABEL,…",
        help="what names of labels mean, as half-true=insufficient,barely-true=refute",
    )


def claims_format(args: argparse.Namespace) -> "ClaimsFormat":
    """What the options of :func:`add_reading_arguments` and ``--columns`` say.

    Raises:
        InputError: ``--columns`` or ``--labels`` is no list of pairs.
    """
    from factcheck.data.claims import ClaimsFormat

    return ClaimsFormat(
        column_mapping(args.columns),
        args.format,
        args.quoting,
        args.header,
        column_mapping(args.labels, "--labels"),
        args.date_order,
        args.delimiter,
    )


def count_or_share(text: str) -> int | float:
    """An argparse type: a whole number (``20``), or a share of all as ``0.01`` or ``1%``.

    >>> count_or_share("20"), count_or_share("1%")
    (20, 0.01)
    """
    expected = "a number of rows such as 20, or a share such as 0.01 or 1%"
    if text.isdigit():
        return int(text)
    value = _number(text.removesuffix("%"), float, lambda value: value >= 0, expected)
    share = value / 100 if text.endswith("%") else value
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return float(share)


def _number(text: str, kind: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


class _TextFormatter(logging.Formatter):
    """``factcheck: warning: …`` for what is wrong; what goes on is stamped with the time, as logs want it."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        super().__init__()
        self._flags = flags

    def format(self, record: logging.LogRecord) -> str:
        message = in_words_of_the_command_line(record.getMessage(), self._flags)
        if record.levelno >= logging.WARNING:
            return f"factcheck: {record.levelname.lower()}: {message}"
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(record.created))} {message}"


class _JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and what a record brings as ``facts``."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        super().__init__()
        self._flags = flags

    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = in_words_of_the_command_line(record.getMessage(), self._flags)
        said = {"time": stamp, "level": record.levelname.lower(), "logger": record.name, "message": message}
        return json.dumps(said | getattr(record, "facts", {}), ensure_ascii=False)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is at the time. A warning is given once: a table may be opened more often."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno == logging.WARNING and message in self._warned:
            return
        if record.levelno == logging.WARNING:
            self._warned.add(message)
        self.stream = sys.stderr
        super().emit(record)


def set_up_logging(form: str = "text", flags: Mapping[str, str] | None = None) -> None:
    """Let what the packages log be read on standard error; the one place where handlers are set.

    Args:
        form: ``text`` or ``json``.
        flags: the flag that sets each parameter that a message may name.
    """
    handler = _StandardError()
    handler.setFormatter(_JsonFormatter(flags or {}) if form == "json" else _TextFormatter(flags or {}))
    for name in ("factcheck", "retrieval"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


class Stop:
    """Whether somebody asked the program to end (SIGINT, SIGTERM).

    Attributes:
        signal: the signal that came; None while none has.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What a shell reports of a program that the signal ended: 130 or 143."""
        return 128 + (self.signal or 0)


@contextlib.contextmanager
def stoppable(what: str) -> Iterator[Stop]:
    """Let the first SIGINT or SIGTERM only be noted, so that ``what`` is in hand can be finished; a second one ends it at once."""
    stop = Stop()

    def note(number: int, _frame: Any) -> None:
        if stop.signal is not None:
            raise KeyboardInterrupt
        stop.signal = number
        logging.getLogger("factcheck").warning("finishing %s, then stopping; once more to stop at once", what)

    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield stop
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet_libraries() -> None:
    """Keep libraries' own notes and bars off the terminal; their warnings about real trouble stay."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def write_json(path: str, figures: Any) -> None:
    """Write a command's figures as indented JSON, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def printable(text: str) -> str:
    """Text without control characters: a terminal would obey those that a corpus or a table holds."""
    return _CONTROLS.sub("", text)


def console(width: int | None = None) -> "Console":
    """A console that shows texts as they are: no markup, no emoji codes, no control characters.

    Args:
        width: columns where the output is not a terminal.
    """
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    plain = Plain(markup=False, emoji=False)
    return plain if width is None or plain.is_terminal else Plain(markup=False, emoji=False, width=width)
