"""Text-only training sets: claims with evidence sentences, and entailment pairs, both JSONL."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.labels import STANCES, FactifyLabel, Stance, parse_label, stance_of
from retrieval.arguments import checked_file
from retrieval.tables.content import Content
from retrieval.tables.jsonl import JsonTable

__all__ = ["NOT_SUPPORT", "read_claims_text", "read_entailment"]

#: Label of a pair that is known only not to be entailed: insufficient or refute.
NOT_SUPPORT = "not_support"


def read_entailment(
    path: str | Path, names: Mapping[str, FactifyLabel | Stance] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of an entailment set (``premise, hypothesis, label``, optionally ``source``) as training rows.

    Args:
        path: the file.
        names: what names of labels mean that are not known, as :func:`factcheck.labels.label_names` makes them.

    Yields:
        Dicts with ``claim`` (the hypothesis), ``document`` (a list holding the premise), ``label`` (``support``,
        ``insufficient``, ``refute``, or ``not_support`` where the source only says "not entailed") and ``source``.

    Raises:
        InputError: no such file, or a line that is not such a row; names file, line and field.
    """
    for where, row in _rows(path):
        yield {
            "claim": _text(row, "hypothesis", where),
            "document": [_text(row, "premise", where)],
            "label": _label(row, where, names),
            "source": _source(row, path),
        }


def read_claims_text(
    path: str | Path, names: Mapping[str, FactifyLabel | Stance] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of a claims set with evidence marked (``id, source, claim, document, evidence, label``).

    Args:
        path, names: see :func:`read_entailment`.

    Yields:
        Dicts with ``id`` (the line number where there is none), ``claim``, ``document`` (list of sentences),
        ``evidence`` (indexes into ``document`` of the gold sentences, or None if unknown), ``label`` (a stance, ``not_support``
        where the source only says "does not follow", or None where the row has ``p``), ``source``, ``language`` (or None)
        and ``p``: another model's probabilities of support, insufficient and refute, or None.

    Raises:
        InputError: no such file, or a line that is not such a row; names file, line and field.
    """
    for where, row in _rows(path):
        document = row.get("document")
        if not isinstance(document, list) or not all(isinstance(sentence, str) for sentence in document):
            raise InputError(f"{where}, 'document': expected a list of sentences")
        evidence = row.get("evidence")
        if evidence is not None and not (
            isinstance(evidence, list)
            and all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < len(document) for i in evidence)
        ):
            raise InputError(
                f"{where}, 'evidence': expected null or indexes below {len(document)}, the number of sentences, "
                f"found {str(evidence)[:60]}"
            )
        soft = _soft(row.get("p"), where)
        yield {
            "id": str(row.get("id") if row.get("id") is not None else where.rsplit(" ", 1)[-1]),
            "claim": _text(row, "claim", where),
            "document": document,
            "evidence": evidence,
            "label": None if soft and "label" not in row else _label(row, where, names),
            "source": _source(row, path),
            "language": row.get("language"),
            "p": soft,
        }


def _rows(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    path = checked_file(str(path), path)
    for row in JsonTable(Content(path)).rows():
        where = f"{path}, line {row.line}"
        if row.fault is not None:
            raise InputError(f"{where}: {row.fault.text}")
        yield where, dict(row.values)


def _text(row: dict[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{where}, {name!r}: expected text, found {'nothing' if value is None else repr(str(value)[:60])}"
        )
    return value


def _label(row: dict[str, Any], where: str, names: Mapping[str, FactifyLabel | Stance] | None) -> str:
    value = row.get("label")
    if value == NOT_SUPPORT:
        return NOT_SUPPORT
    try:
        return stance_of(parse_label(value if isinstance(value, str) else "", names)).value
    except InputError:
        allowed = ", ".join((*STANCES, NOT_SUPPORT))
        raise InputError(
            f"{where}, 'label': expected one of {allowed}, found {value!r}",
            field="labels",
            hint="say with `labels` what it counts as, as in half-true=insufficient",
        ) from None


def _soft(value: object, where: str) -> tuple[float, float, float] | None:
    """A row's ``p``, checked."""
    if value is None:
        return None
    if (
        not isinstance(value, list)
        or len(value) != len(STANCES)
        or not all(isinstance(p, int | float) and 0 <= p <= 1 for p in value)
        or abs(sum(value) - 1) > 0.02  # probabilities may have been rounded
    ):
        raise InputError(
            f"{where}, 'p': expected {len(STANCES)} probabilities that add up to 1, found {str(value)[:60]}"
        )
    support, insufficient, refute = map(float, value)
    return support, insufficient, refute


def _source(row: dict[str, Any], path: str | Path) -> str:
    return str(row.get("source") or Path(path).stem)
