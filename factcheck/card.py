"""A verdict as a small HTML card, for notebooks: everything escaped, colours for light and dark pages, no script."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factcheck.records import Evidence, Verdict

__all__ = ["verdict_card"]

_STANCES = {
    "support": ("Supported", "#1a7f4b"),
    "refute": ("Refuted", "#b3261e"),
    "insufficient": ("Not enough evidence", "#8a5a00"),
}
_RELATIONS = {"agree": "same photo", "differ": "different photos"}


def verdict_card(verdict: "Verdict") -> str:
    """The card: the verdict, its probabilities, and the evidence it rests on, the stronger the more it matters."""
    title, colour = _STANCES.get(verdict.stance or "", ("Could not be verified", "#666"))
    # The relation of the photos is part of some labels (Support_Text, ...) and of no Refute.
    if verdict.image_relation and (verdict.label or "").endswith(("_Multimodal", "_Text")):
        title += f", {_RELATIONS[verdict.image_relation]}"
    facts = []
    if verdict.confidence is not None:
        facts.append(f"confidence {verdict.confidence:.2f}")
    if verdict.image_similarity is not None:
        facts.append(f"photo similarity {verdict.image_similarity:.2f}")
    facts += ["withheld"] * verdict.abstained + (
        [escape(f"{verdict.status}: {verdict.reason}")] if verdict.reason else []
    )
    parts = [
        f'<div style="font-size:1.15em;font-weight:600;color:{colour}">{escape(title)}</div>',
        f'<div style="opacity:.75;margin:.1em 0 .5em">{" · ".join(facts)}</div>',
    ]
    if verdict.explanation:
        parts.append(f'<div style="margin:.3em 0 .6em">{escape(verdict.explanation)}</div>')
    parts += [
        _bar(name, value) for name, value in (verdict.probabilities or verdict.stance_probabilities or {}).items()
    ]
    if verdict.evidence:
        strongest = max((item.attribution or 0.0 for item in verdict.evidence), default=0.0)
        items = "".join(_sentence(item, strongest) for item in verdict.evidence)
        parts.append(f'<ol style="margin:.6em 0 0;padding-left:1.4em">{items}</ol>')
    return (
        f'<div style="max-width:46em;border:1px solid rgba(128,128,128,.4);border-left:4px solid {colour};border-radius:6px;'
        f'padding:.7em 1em;font-family:system-ui,sans-serif;line-height:1.45">{"".join(parts)}</div>'
    )


def _bar(name: str, value: float) -> str:
    return (
        '<div style="display:flex;align-items:center;gap:.6em;font-size:.88em">'
        f'<span style="width:13em">{escape(name.replace("_", " "))}</span>'
        '<span style="flex:1;background:rgba(128,128,128,.22);border-radius:4px;height:.6em">'
        f'<span style="display:block;width:{100 * value:.1f}%;background:#2f5fd0;border-radius:4px;height:.6em"></span></span>'
        f'<span style="width:3.6em;text-align:right">{100 * value:.1f}%</span></div>'
    )


def _sentence(item: "Evidence", strongest: float) -> str:
    share = max(0.0, item.attribution or 0.0) / strongest if strongest > 0 else 0.0
    notes = [f"score {item.score:.2f}"] if item.score is not None else []
    if item.attribution is not None:
        notes.append(f"attribution {item.attribution:+.2f}")
    notes.append(escape(f"document {item.document_id}, sentence {item.sentence + 1}"))
    return (
        f'<li style="margin:.25em 0"><span style="background:rgba(255,205,66,{0.12 + 0.43 * share:.2f});border-radius:3px">'
        f'{escape(item.text)}</span><br><span style="opacity:.7;font-size:.85em">{" · ".join(notes)}</span></li>'
    )
