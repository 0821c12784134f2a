"""Which column of a user's table holds what: canonical names, Factify's own, and explicit mappings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from factcheck.errors import InputError

__all__ = ["CLAIM_COLUMNS", "columns_of_no_rows", "known_columns", "resolve_columns"]

#: The columns of a claims table that a user may supply, in the order in which messages list them.
CLAIM_COLUMNS: tuple[str, ...] = (
    "id",
    "claim",
    "claim_image",
    "document",
    "document_image",
    "claim_ocr",
    "document_ocr",
    "label",
    "date",
)

#: Other spellings, after :func:`_fold`, best first. pandas writes its index column without a name, or with these. An index comes before
#: Climate-FEVER's ``claim_id``, as no two rows have the same. ``claim_date`` is AVeriTeC's: the day on which the claim was made.
_ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("unnamed:_0", "", "index", "__index_level_0__", "claim_id"),
    "label": ("category", "claim_label"),
    "date": ("claim_date",),
}
#: A row with one of these is a piece of evidence: what is said of its claim is said of several rows, and is no id or label of this one.
_OF_EVIDENCE = frozenset({"evidence_id", "evidence_label"})
_OF_CLAIMS = frozenset({"claim_id", "claim_label"})


def resolve_columns(found: Sequence[str], mapping: Mapping[str, str] | None = None, *, where: str) -> dict[str, str]:
    """Map canonical column names to the columns of a table.

    Names are compared without regard to case, and with spaces or hyphens for underscores, so that Factify's ``Claim OCR`` and ``Category``
    are recognised; so are AVeriTeC's ``claim_date``, and Climate-FEVER's ``claim_id`` and ``claim_label`` unless rows are pieces of
    evidence with an id or label of their own. An exact match wins. A column named in ``mapping`` plays no other role.

    Args:
        found: the table's column names.
        mapping: canonical name to column name, beating recognition.
        where: the table, as messages name it.

    Returns:
        Canonical name to column name, for the columns present; ``claim`` always is.

    Raises:
        InputError: the mapping names an unknown column, a needed column is there twice, or no column holds the claim.
    """
    mapping = dict(mapping or {})
    for canonical, column in mapping.items():
        if canonical not in CLAIM_COLUMNS:
            raise InputError(
                f"{where}: cannot map a column to {canonical!r}; the names are {', '.join(CLAIM_COLUMNS)}"
                " (write canonical=yours, as in claim=text)"
            )
        if column not in found:
            raise InputError(
                f"{where}: no column {column!r} (mapped to {canonical!r}); found {_listed(found)}", field="columns"
            )
    taken = set(mapping.values())
    free = [name for name in found if name not in taken]
    if not _OF_EVIDENCE.isdisjoint(map(_fold, found)):
        free = [name for name in free if _fold(name) not in _OF_CLAIMS]
    chosen: dict[str, str] = {}
    for canonical in CLAIM_COLUMNS:
        if canonical in mapping:
            chosen[canonical] = mapping[canonical]
            continue
        match = canonical if canonical in free else _recognise(canonical, free)
        if match is not None:
            chosen[canonical] = match
    if "claim" not in chosen:
        raise InputError(
            f"{where}: no column 'claim'; found {_listed(found)}",
            field="columns",
            hint="name the column that holds the claim (`columns` claim=text)",
        )
    counts = Counter(found)
    for canonical, column in chosen.items():
        if counts[column] > 1:
            raise InputError(
                f"{where}: column {column!r} (read as {canonical!r}) appears {counts[column]} times; keep one"
            )
    return chosen


def known_columns(found: Sequence[str], mapping: Mapping[str, str] | None = None) -> int:
    """How many columns of a table have a role in it; 0 where none holds the claim."""
    try:
        return len(resolve_columns(found, mapping, where=""))
    except InputError:
        return 0


def columns_of_no_rows(mapping: Mapping[str, str] | None = None) -> list[str]:
    """The columns that a table without rows counts as having where its format then names none: the claim, and those mapped."""
    return list(dict.fromkeys(["claim", *(mapping or {}).values()]))


def _recognise(canonical: str, found: Sequence[str]) -> str | None:
    folded: dict[str, str] = {}
    for position, name in enumerate(found):
        if name or position == 0:  # a nameless column further on is a stray separator
            folded.setdefault(_fold(name), name)
    return next((folded[alias] for alias in (canonical, *_ALIASES.get(canonical, ())) if alias in folded), None)


def _fold(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _listed(names: Iterable[str]) -> str:
    names = [repr(name) if len(name) <= 60 else repr(name[:60] + "…") for name in names]
    shown = ", ".join(names[:30]) + (f", … ({len(names)} in all)" if len(names) > 30 else "")
    return f"columns {shown}" if names else "no columns"
