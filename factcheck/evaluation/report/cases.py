"""One case as a page shows it: a verdict, its claim, document, images and evidence as a JSON-ready dictionary.

The page's script (``assets/case.js``) draws it and cuts nothing itself: texts come in pieces, each with the marks that lie on it, so
that no offset depends on how a browser counts characters.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from factcheck.data import clean_text

__all__ = ["Case", "case_of", "pieces"]

#: See :func:`case_of`.
Case = dict[str, Any]

#: Characters of a document that are shown from its start, and around each evidence sentence; the rest is left out.
_HEAD, _AROUND = 6_000, 1_000
_SIDES = ("claim", "document")


def case_of(
    verdict: Mapping[str, Any],
    claim: Mapping[str, Any] | None,
    *,
    gold: str | None = None,
    right: bool | None = None,
    before: Mapping[str, Any] | None = None,
) -> Case:
    """What is shown of one row.

    Args:
        verdict: a row of the verdict table.
        claim: the row of the canonical claims table, None where there is no such table.
        gold: its gold label.
        right: whether the verdict is right, as far as it says anything; None without a gold label.
        before: ``label`` and ``confidence`` that another table gives the row, to compare with.

    Returns:
        A dictionary for ``json.dumps``. Texts are lists of pieces ``[text, marks]`` (see :func:`pieces`), where a mark ``e`` is the
        place of an evidence sentence and ``d`` the place of a difference.
    """
    claim = claim or {}
    evidence = verdict["evidence"] or []
    differences = [dict(one) for one in verdict.get("differences") or []]
    own = [i for i, one in enumerate(evidence) if one["document_id"] == verdict["id"]]
    document = claim.get("document")
    text, claim_marks = _claim_marks(claim.get("claim"), differences)
    quoted: dict[int, list[tuple[int, int, str, int]]] = {}
    for place, difference in enumerate(differences):
        if (found := _quotation(difference, evidence)) is not None:
            quoted.setdefault(found[0], []).append((found[1], found[2], "d", place))
    return {
        **{
            name: verdict.get(name)
            for name in ("id", "label", "stance", "image_relation", "status", "reason", "language")
        },
        **{name: _figure(verdict.get(name)) for name in ("confidence", "image_similarity")},
        "abstained": bool(verdict["abstained"]),
        "explanation": verdict.get("explanation"),
        "gold": gold,
        "right": right,
        "before": {"label": before["label"], "confidence": _figure(before["confidence"])} if before else None,
        "probabilities": _bars(verdict.get("probabilities")) or _bars(verdict.get("stance_probabilities")),
        "claim": pieces(text, claim_marks) if text else None,
        "document": _document(document, [evidence[i] for i in own], own, quoted) if document else None,
        "date": claim.get("date"),
        "ocr": {side: claim.get(f"{side}_ocr") or _read_in(verdict, side) for side in _SIDES},
        "evidence": [
            {
                **{name: one[name] for name in ("document_id", "sentence")},
                "own": bool(document) and i in own,
                "score": _figure(one["score"]),
                "attribution": _figure(one["attribution"]),
                "text": pieces(one["text"] or "", quoted.get(i, [])),
            }
            for i, one in enumerate(evidence)
        ],
        "differences": [
            {name: one[name] for name in ("kind", "relation", "claim_value", "value")} for one in differences
        ],
        "photo_attribution": {k: _figure(v) for k, v in (verdict.get("photo_attribution") or {}).items()},
        "photo_evidence": [{**one, "score": _figure(one["score"])} for one in verdict.get("photo_evidence") or []],
        "photo_context": {k: v for k, v in (verdict.get("photo_context") or {}).items() if v},
    }


def _read_in(verdict: Mapping[str, Any], side: str) -> str | None:
    return ((verdict.get("ocr") or {}).get(side) or {}).get("text")


def pieces(text: str, marks: Sequence[tuple[int, int, str, int]]) -> list[list[Any]]:
    """A text cut where marks begin and end: ``[text]`` or ``[text, {"e": 0, "d": 2}]``, together the whole text.

    Args:
        text: the text.
        marks: ``(start, end, name, value)`` in characters; those outside of the text, or empty, are left out. Where two of one
            name overlap, the later one wins.
    """
    marks = [mark for mark in marks if 0 <= mark[0] < mark[1] <= len(text)]
    cuts = sorted({0, len(text), *(place for mark in marks for place in mark[:2])})
    result: list[list[Any]] = []
    for start, end in pairwise(cuts):
        held = {name: value for low, high, name, value in marks if low <= start and end <= high}
        result.append([text[start:end], held] if held else [text[start:end]])
    return result


def _claim_marks(
    text: str | None, differences: Sequence[Mapping[str, Any]]
) -> tuple[str | None, list[tuple[int, int, str, int]]]:
    """The claim as its differences count its characters, which may be those of the cleaned text."""
    if not text or not differences:
        return text, []
    spans = [(one["claim_start"], one["claim_end"], "d", place) for place, one in enumerate(differences)]
    for candidate in (text, clean_text(text)):
        if all(
            candidate[low:high] == one["claim_value"] for (low, high, *_), one in zip(spans, differences, strict=True)
        ):
            return candidate, spans
    return text, [
        (at, at + len(one["claim_value"]), "d", place)
        for place, one in enumerate(differences)
        if one["claim_value"] and (at := text.find(one["claim_value"])) >= 0
    ]


def _quotation(difference: Mapping[str, Any], evidence: Sequence[Mapping[str, Any]]) -> tuple[int, int, int] | None:
    """Which evidence sentence says the other value of a difference, and where in it; None where none does."""
    value, start = difference["value"], difference["start"]
    if not value or start is None:
        return None
    places = [i for i, one in enumerate(evidence) if one["sentence"] == difference["sentence"]]
    if difference["sentence"] is not None and difference["sentence"] < len(evidence):
        places.append(difference["sentence"])
    for i in places:
        text = evidence[i]["text"] or ""
        if text[start : start + len(value)] == value:
            return i, start, start + len(value)
    found = ((i, (evidence[i]["text"] or "").find(value)) for i in places)
    return next(((i, at, at + len(value)) for i, at in found if at >= 0), None)


def _document(
    text: str,
    evidence: Sequence[Mapping[str, Any]],
    ranks: Sequence[int],
    quoted: Mapping[int, Sequence[tuple[int, int, str, int]]],
) -> list[list[Any]]:
    """The document with its evidence marked; of a long one its start and what surrounds the evidence."""
    marks: list[tuple[int, int, str, int]] = []
    shown = [(0, min(_HEAD, len(text)))]
    for rank, one in zip(ranks, evidence, strict=True):
        start, end = one["start"], one["end"]
        marks.append((start, end, "e", rank))
        marks += [(start + low, start + high, name, value) for low, high, name, value in quoted.get(rank, ())]
        shown.append((max(0, start - _AROUND), min(len(text), end + _AROUND)))
    result: list[list[Any]] = []
    at = 0
    for start, end in _joined(shown):
        if start > at:
            result.append(["", {"gap": start - at}])
        inside = [
            (low - start, high - start, name, value) for low, high, name, value in marks if start <= low and high <= end
        ]
        result += pieces(text[start:end], inside)
        at = end
    if at < len(text):
        result.append(["", {"gap": len(text) - at}])
    return result


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _bars(probabilities: Mapping[str, float | None] | None) -> list[list[Any]] | None:
    if not probabilities or any(value is None for value in probabilities.values()):
        return None
    return [[name, _figure(value)] for name, value in probabilities.items()]


def _figure(value: float | None) -> float | None:
    """A figure short enough for a page; None for what is none, which JSON cannot say."""
    return None if value is None or value != value else round(float(value), 4)
