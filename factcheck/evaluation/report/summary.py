"""The first screen: what was checked, five figures, and what to do next, each said in one sentence."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pyarrow.compute as pc

from factcheck.evaluation.bootstrap import Interval
from factcheck.evaluation.matching import Joined
from factcheck.evaluation.metrics import Classification
from factcheck.evaluation.scoring import Scores

__all__ = ["Advice", "Figure", "advice", "figures"]

#: Fewest rows of a part that is pointed out as weak.
_FEWEST = 20


@dataclass(frozen=True)
class Figure:
    """A figure of the first screen: its name, the value and its interval as shown, and one sentence on what it says."""

    name: str
    value: str
    interval: str
    note: str


@dataclass(frozen=True)
class Advice:
    """Something to do next, and the part of the page where it is seen (an anchor or a filter of the case browser)."""

    text: str
    link: str | None = None
    link_text: str = "show these cases"


def figures(scores: Scores | None, joined: Joined) -> list[Figure]:
    """Five figures, with intervals where there are gold labels to know them by."""
    return _unlabelled(joined) if scores is None else _labelled(scores)


def _labelled(scores: Scores) -> list[Figure]:
    main, whole = scores.five_class or scores.stance, scores.operating
    found = [
        Figure(
            "Weighted F1" if scores.five_class else "Macro F1",
            f"{main.weighted_f1 if scores.five_class else main.macro_f1:.3f}",
            _ends(main.intervals["weighted_f1" if scores.five_class else "macro_f1"]),
            f"{'over the five classes' if scores.five_class else 'of the stance'}, {main.rows:,} labelled rows",
        ),
        Figure(
            "Stance accuracy",
            f"{scores.stance.accuracy:.1%}",
            _ends(scores.stance.intervals["accuracy"], ".1%"),
            f"support, refute or insufficient; {scores.stance.rows:,} rows",
        ),
    ]
    if whole:
        found.append(
            Figure(
                "Calibration error",
                f"{whole.ece:.3f}",
                _ends(whole.intervals["ece"]),
                f"how far confidence is from the share that is right; {whole.calibrated_ece:.3f} would be chance on {whole.rows:,} rows",
            )
        )
        target = next(
            (part for part in whole.targets if part.target == 0.9), whole.targets[0] if whole.targets else None
        )
        if target:
            found.append(
                Figure(
                    f"Coverage at {target.target:.0%} precision",
                    f"{target.point.coverage:.0%}" if target.point else "none",
                    _ends(target.coverage, ".0%") if target.coverage else "",
                    f"verdicts given above a confidence of {target.point.threshold:.3f}"
                    if target.point
                    else "no threshold reaches this precision on these rows",
                )
            )
    found.append(_withheld(scores.abstained, scores.rows, scores.statuses.get("error", 0)))
    return found


def _unlabelled(joined: Joined) -> list[Figure]:
    table, rows = joined.verdicts, joined.verdicts.num_rows
    stances = Counter(stance for stance in table["stance"].to_pylist() if stance)
    confidence = [value for value in table["confidence"].to_pylist() if value is not None and value == value]
    found = [
        Figure(name.capitalize(), f"{stances[name] / max(rows, 1):.0%}", "", f"{stances[name]:,} of {rows:,} verdicts")
        for name in ("support", "refute", "insufficient")
    ]
    mean = sum(confidence) / len(confidence) if confidence else 0.0
    found.append(
        Figure(
            "Mean confidence",
            f"{mean:.2f}",
            "",
            f"over {len(confidence):,} rows; without gold labels it cannot be checked",
        )
    )
    errors = table["status"].to_pylist().count("error")
    withheld = pc.and_(pc.fill_null(table["abstained"], True), pc.not_equal(table["status"], "error"))
    found.append(_withheld(withheld.to_pylist().count(True), rows, errors))
    return found


def _withheld(abstained: int, rows: int, errors: int) -> Figure:
    note = f"{abstained:,} of {rows:,} verdicts are marked as abstained"
    if errors:
        note += f"; {errors:,} in error not counted"
    return Figure("Withheld", f"{abstained / max(rows, 1):.1%}", "", note)


def advice(scores: Scores | None, joined: Joined, baselines: Mapping[str, Classification]) -> list[Advice]:
    """What to do next, the most useful first; at least one item."""
    found = _broken_rows(joined)
    if scores is None:
        found.append(
            Advice(
                "Read the least sure verdicts first, and label some of them: with gold labels this page shows how far the rest can "
                "be trusted."
            )
        )
        return found
    if scores.other_documents:
        found.append(
            Advice(
                f"{scores.other_documents:,} verdicts quote evidence that is not in the document of their row: is this the table "
                "that was verified?"
            )
        )
    found += [*_threshold(scores), *_calibration(scores), *_confusion(scores), *_weakest(scores)]
    if baselines:
        name, best = max(baselines.items(), key=lambda item: item[1].weighted_f1)
        main = scores.five_class or scores.stance
        if best.weighted_f1 >= main.intervals["weighted_f1"][0]:
            found.append(
                Advice(
                    f"The baseline “{name}” reaches a weighted F1 of {best.weighted_f1:.3f}, within the model's interval or above: on "
                    "these data the model adds nothing that is certain.",
                    "#baselines",
                    "compare",
                )
            )
    return found


def _broken_rows(joined: Joined) -> list[Advice]:
    by_status: dict[str, Counter[str]] = {"error": Counter(), "degraded": Counter()}
    for status, reason in zip(
        joined.verdicts["status"].to_pylist(), joined.verdicts["reason"].to_pylist(), strict=True
    ):
        if status in by_status:
            by_status[status][reason or "no reason given"] += 1
    found = []
    for status, one, more in (
        ("error", "row could not be verified", "rows could not be verified"),
        (
            "degraded",
            "row was verified without a part of its input",
            "rows were verified without a part of their input",
        ),
    ):
        if counts := by_status[status]:
            reason, most = counts.most_common(1)[0]
            number = sum(counts.values())
            what = f"{number:,} {one if number == 1 else more}; most often: {_short(reason)} ({most:,})."
            found.append(Advice(what, _filter(status=status)))
    return found


def _threshold(scores: Scores) -> list[Advice]:
    whole = scores.operating
    if whole is None:
        return []
    reached = [part for part in whole.targets if part.point]
    if not reached:
        text = "No threshold of confidence reaches the precision asked for: do not let verdicts pass unread."
        return [Advice(text, "#confidence", "see the curve")]
    # The first that withholds anything at all: lower targets are reached by every verdict.
    target = next((part for part in reached if part.point and part.point.coverage < 1), reached[-1])
    assert target.point is not None
    held = target.held_out_precision
    elsewhere = "" if held is None else f" (on rows that it was not chosen on {held:.0%} were right)"
    text = (
        f"To be right in {target.target:.0%} of the verdicts given, withhold those under a confidence of "
        f"{target.point.threshold:.3f}: {target.point.coverage:.0%} remain{elsewhere}."
    )
    return [Advice(text, "#confidence", "see the thresholds")]


def _calibration(scores: Scores) -> list[Advice]:
    whole = scores.operating
    if not whole or whole.intervals["ece"][0] <= whole.calibrated_ece:
        return []
    gap = float(whole.forecast.mean()) - whole.accuracy
    way = "overstates" if gap > 0 else "understates"
    return [
        Advice(
            f"Confidence {way} how often verdicts are right (mean {whole.forecast.mean():.2f}, right {whole.accuracy:.2f}): calibrate "
            "the model on labelled rows like these.",
            "#confidence",
            "see the diagram",
        )
    ]


def _confusion(scores: Scores) -> list[Advice]:
    main = scores.five_class or scores.stance
    cells = [
        (count, gold, said)
        for gold, row in zip(main.labels, main.confusion, strict=True)
        for said, count in zip(main.labels, row, strict=True)
        if gold != said
    ]
    count, gold, said = max(cells)
    if not count:
        return []
    names = {"gold": gold, "label": said} if scores.five_class else {"goldstance": gold, "stance": said}
    return [Advice(f"The most frequent mistake: {gold} taken for {said} ({count:,} rows).", _filter(**names))]


def _weakest(scores: Scores) -> list[Advice]:
    first = [part for part in scores.slices if part.name == scores.slices[0].name]
    rows = sum(part.rows for part in first)
    accuracy = sum(part.accuracy * part.rows for part in first) / rows if rows else 0.0
    weak = [part for part in scores.slices if part.rows >= _FEWEST and part.interval[1] < accuracy]
    if not weak:
        return []
    part = min(weak, key=lambda one: one.interval[1])
    text = (
        f"The weakest part: {part.name} “{_short(part.group)}”, where {part.accuracy:.0%} of {part.rows:,} verdicts are right "
        f"(all rows: {accuracy:.0%})."
    )
    return [Advice(text, _filter(**{part.name: part.group}))]


def _filter(**facets: Any) -> str:
    return "#" + urlencode(facets)


def _short(text: str, length: int = 90) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _ends(ends: Interval | None, style: str = ".3f") -> str:
    return f"{ends[0]:{style}} – {ends[1]:{style}}" if ends else ""
