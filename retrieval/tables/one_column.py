"""A table of one column: whether its quotation marks quote, where no other column tells one row from several."""

from collections import Counter
from collections.abc import Callable

from retrieval.tables.dialect import OUTWEIGHS, WHOLLY, Dialect, Record, records_of
from retrieval.tables.lines import Lines
from retrieval.tables.profile import Profile

__all__ = ["find_dialect_of_one_column"]

# What a program may have been told to separate columns by; fields that hold it are then the ones that it quotes.
_DELIMITERS = ",;\t|"
# Of fewer rows nothing is concluded.
_FEWEST = 3
_MOST = 0.95


def find_dialect_of_one_column(
    open_lines: Callable[[], Lines], delimiter: str, profile: Profile, *, forced: bool
) -> Dialect:
    """The dialect that all rows of a table of one column speak for; see :func:`retrieval.tables.dialect.find_dialect`.

    Several lines within quotation marks are one row where a program has written them: if it quotes every field, or those, and no others,
    that hold a certain delimiter or a doubled mark. Marks are letters where some line has them as no program would write
    it. Where neither is so, rows of several lines are not read.
    """
    if forced:
        return Dialect("quoted", profile=profile, forced=True)
    found: Counter[str] = Counter()
    lines = open_lines()
    try:
        for record in records_of(lines, delimiter, 1, Dialect("quoted", forced=True)):
            found.update(_signs(record))
    finally:
        lines.close()
    all_quoted = found["quoted"] >= max(_FEWEST, _MOST * found["rows"])
    if all_quoted or any(_quotes_as_needed(found, d) for d in _DELIMITERS):
        return Dialect("quoted", profile=profile, trust=WHOLLY)
    if found["letters"] and found["letters"] >= OUTWEIGHS * found["doubled"]:
        return Dialect("plain", careful=False)
    return Dialect("quoted", profile=profile)


def _signs(record: Record) -> list[str]:
    """What a record speaks for."""
    text = "".join(record.lines)
    signs = ["rows"]
    held = [d for d in _DELIMITERS if d in text]
    if record.fields is None or (text[0] != '"' and '"' in text):
        return [*signs, "letters"]
    if text[0] != '"':
        return [*signs, *(f"bare {d}" for d in held)]
    if not record.fields[0]:  # as programs write an empty one
        return signs
    doubled = '"' in record.fields[0]
    signs += ["quoted", "doubled"] if doubled else ["quoted"]
    lines = "several" if len(record.lines) > 1 else "one"
    return [*signs, lines, *(f"{lines} {d}" for d in (_DELIMITERS if doubled else held))]


def _quotes_as_needed(found: Counter[str], delimiter: str) -> bool:
    """Whether the fields that hold a delimiter or a doubled mark, and hardly any others of one line, are quoted."""
    one, several = found[f"one {delimiter}"], found[f"several {delimiter}"]
    needed = one + (several if several >= _FEWEST else 0)
    against = found["one"] - one + found[f"bare {delimiter}"] + found["letters"]
    return needed > 0 and needed >= OUTWEIGHS * against
