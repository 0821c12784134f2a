"""Temperature scaling on held-out claims (Guo et al., arXiv 1706.04599), and a threshold for a target precision."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from scipy.optimize import minimize, minimize_scalar

from factcheck.errors import InputError
from factcheck.evaluation.metrics import MIN_ROWS, threshold_for_precision
from factcheck.labels import FACTIFY_LABELS, STANCES, FactifyLabel, Stance, five_class_labels, parse_label, stance_of
from factcheck.models.calibration import Calibration, PairCalibration
from retrieval.arguments import checked_int, checked_share

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = [
    "calibrate",
    "calibrate_judge",
    "check_calibration_tables",
    "fit_temperature",
    "fit_temperature_by_length",
]

_LOG = logging.getLogger("factcheck")
_BOUNDS = (0.05, 20.0)
_DECIMALS = 5
_ENOUGH = 200  # rows that fix one temperature to a few percent
_ENOUGH_FOR_LENGTHS = 1000  # rows that fix one for each of a few lengths
# Probabilities come in single precision; their logarithms stand for the logits down to its smallest number.
_SMALLEST = float(np.finfo(np.float32).tiny)


def fit_temperature(probabilities: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """The temperature that minimises the Brier score.

    Guo et al. minimise the negative log-likelihood. Both are proper scores; the Brier score is bounded, so that a few wrong labels
    given with certainty do not set the temperature of all the others.

    Args:
        probabilities: (N, C), the softmax at temperature 1 (its logarithm serves as logits: the softmax forgets the rest).
        gold: (N,) class indexes.

    Returns:
        A temperature in [0.05, 20].

    Raises:
        InputError: no rows.
    """
    loss = _brier(probabilities, gold)
    found = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def fit_temperature_by_length(
    probabilities: Sequence[Sequence[float]], gold: Sequence[int], tokens: Sequence[int], knots: int = 4
) -> tuple[tuple[int, float], ...]:
    """Temperatures at a few lengths of text that together minimise the Brier score.

    The lengths are quantiles (5% … 95%) of those of the rows; see :attr:`Calibration.stance_by_length` for what lies between.

    Args:
        probabilities: (N, C), the softmax at temperature 1.
        gold: (N,) class indexes.
        tokens: (N,) lengths.
        knots: number of lengths; fewer where the rows are of fewer lengths.

    Returns:
        Pairs (tokens, temperature), tokens rising, temperatures in [0.05, 20].

    Raises:
        InputError: no rows.
    """
    loss = _brier(probabilities, gold)
    lengths = np.maximum(np.asarray(tokens, np.float64), 1)
    at = np.unique(np.quantile(lengths, np.linspace(0.05, 0.95, knots)).round())
    start = np.full(len(at), np.log(fit_temperature(probabilities, gold)))
    found = minimize(
        lambda log_t: loss(np.interp(np.log(lengths), np.log(at), log_t)[:, None]),
        start,
        method="L-BFGS-B",
        bounds=[tuple(np.log(_BOUNDS))] * len(at),
    )
    return tuple((int(n), round(float(np.exp(t)), 4)) for n, t in zip(at, found.x, strict=True))


def _brier(probabilities: Sequence[Sequence[float]], gold: Sequence[int]) -> Callable[[float | np.ndarray], float]:
    """The Brier score as a function of the logarithm of the temperature: one number, or (N, 1)."""
    if len(gold) == 0:
        raise InputError("calibration needs at least one labelled row")
    logits = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST, 1.0))
    hit = np.zeros_like(logits)
    hit[np.arange(len(logits)), np.asarray(gold)] = 1.0

    def loss(log_t: float | np.ndarray) -> float:
        scaled = logits / np.exp(log_t)
        scaled = np.exp(scaled - scaled.max(1, keepdims=True))
        scaled /= scaled.sum(1, keepdims=True)
        return float(((scaled - hit) ** 2).sum(1).mean())

    return loss


@dataclass(frozen=True)
class _Labelled:
    """A verified row with its gold label: probabilities at temperature 1, and the index of the gold class in each.

    ``label`` is None where the row has no image pair, ``gold_label`` where the gold label is a bare stance (see
    :func:`factcheck.labels.five_class_labels`).
    """

    stance: Sequence[float]
    gold_stance: int
    tokens: int
    label: Sequence[float] | None
    gold_label: int | None

    def outcome(self, calibration: Calibration) -> tuple[float, bool]:
        """Confidence of the calibrated verdict, and whether it is right (its stance, where no more can be compared).

        Confidence to five decimals: verification computes in single precision, which parts no closer ones reliably.
        """
        leading, temperature = self.label, calibration.label
        if leading is None:
            leading, temperature = self.stance, float(calibration.stance_temperatures([self.tokens])[0])
        scaled = np.asarray(leading, np.float64).clip(_SMALLEST) ** (1 / temperature)
        best = int(scaled.argmax())
        if self.label is None:
            right = best == self.gold_stance
        elif self.gold_label is None:
            right = STANCES.index(stance_of(FACTIFY_LABELS[best])) == self.gold_stance
        else:
            right = best == self.gold_label
        return round(float(scaled[best] / scaled.sum()), _DECIMALS), right


def check_calibration_tables(
    claims: Sequence[str | Path],
    target_precision: float | None = None,
    columns: Mapping[str, str] | None = None,
    at_least: int = 1,
) -> None:
    """Refuse tables that :func:`calibrate` could not use, by their rows alone, before a model is loaded.

    Args:
        claims: the tables.
        target_precision: not None where a threshold is to be chosen, which takes more rows.
        columns: names of columns in the tables, as ``{"claim": "text"}``.
        at_least: fewest labelled rows that will do.

    Raises:
        InputError: a table cannot be read or has a label that is none, or too few rows of all have one. Bad rows do not count.
    """
    from factcheck.data import open_claims
    from factcheck.data.claims import check_labels

    at_least = checked_int("min_rows", at_least, 1)
    labelled = 0
    for path in claims:
        first = 0
        for table in open_claims(path, columns=columns, on_error="mark").batches(2048):
            check_labels(table, str(path), first)
            first += len(table)
            good = table.filter(pc.not_equal(table["status"], "error"))
            labelled += len(good) - good["label"].null_count
    where = ", ".join(map(str, claims))
    _check_number(labelled, "labelled rows", at_least, where)
    if target_precision is not None and labelled < MIN_ROWS:
        raise InputError(
            f"a threshold for a precision of {target_precision:g} needs at least {MIN_ROWS} labelled rows with a verdict, found "
            f"{labelled} labelled rows in {where}; give more rows"
        )


def calibrate(
    verifier: "Verifier",
    claims: Sequence[str | Path],
    *,
    image_root: str | Path | None = None,
    target_precision: float | None = None,
    columns: Mapping[str, str] | None = None,
    at_least: int = 1,
) -> Calibration:
    """Temperatures of the stance and five-class heads, fitted on labelled claims tables that were not trained on.

    Rows with a pair of images and rows without get temperatures and thresholds of their own where there are enough of both (200).

    Args:
        verifier: the model; its own temperatures are ignored.
        claims: tables with labels.
        image_root: folder that image paths are relative to; by default each table's folder.
        target_precision: also choose the default abstention threshold: the lowest at which the verdicts given on these
            rows are right this often (see :func:`factcheck.evaluation.metrics.threshold_for_precision`), in (0, 1]. None
            keeps the verifier's.
        columns: names of columns in the tables, as ``{"claim": "text"}``.
        at_least: fewest labelled rows that will do. A few rows give a temperature that is worth nothing: fifteen gave 5.7 once.

    Raises:
        InputError: a table cannot be read, too few rows have a label, or no threshold reaches the target.
    """
    if target_precision is not None:
        checked_share("target_precision", target_precision, above_zero=True)
    rows = _labelled_rows(verifier, claims, image_root, columns)
    _check_enough(rows, at_least, claims)
    five = [(row.label, row.gold_label) for row in rows if row.label is not None and row.gold_label is not None]
    # The stance is a verdict's confidence where there is no pair of images: with enough such rows they alone decide.
    plain = [row for row in rows if row.label is None]
    plain = plain if len(plain) >= _ENOUGH else rows
    stances, gold = [row.stance for row in plain], [row.gold_stance for row in plain]
    result = replace(verifier.calibration, stance=_fitted("stance", stances, gold), stance_by_length=())
    if len(plain) >= _ENOUGH_FOR_LENGTHS:
        lengths = [row.tokens for row in plain]
        result = replace(result, stance_by_length=fit_temperature_by_length(stances, gold, lengths))
    if five:
        result = replace(result, label=_fitted("five-class", [p for p, _ in five], [target for _, target in five]))
    result = replace(result, rows=len(rows), pairs=_of_pairs(rows))
    return _with_thresholds(result, rows, target_precision)


def calibrate_judge(
    verifier: "Verifier",
    claims: Sequence[str | Path],
    *,
    image_root: str | Path | None = None,
    target_precision: float | None = None,
    columns: Mapping[str, str] | None = None,
    at_least: int = 1,
) -> Calibration:
    """The temperatures of another judge's stance, and thresholds; see :func:`calibrate`.

    Args:
        verifier: one with a judge, which is asked once for the temperature and, with a target, again for the threshold.
        claims, image_root, target_precision, columns, at_least: as of :func:`calibrate`.

    Raises:
        InputError: see :func:`calibrate`, or the verifier has no judge but the model's own.
    """
    from factcheck.judges.calibrated import CalibratedJudge

    if verifier.judge is None:
        raise InputError("the verifier has no `judge` but its own model", field="judge", hint="calibrate the model")
    if target_precision is not None:
        checked_share("target_precision", target_precision, above_zero=True)
    rows = _labelled_rows(verifier, claims, image_root, columns)
    _check_enough(rows, at_least, claims)
    pairs = _of_pairs(rows)
    alone = [row for row in rows if row.label is None] if pairs is not None else rows
    temperature = _fitted("stance", [row.stance for row in alone], [row.gold_stance for row in alone])
    result = Calibration(stance=temperature, rows=len(rows), pairs=pairs)
    if target_precision is None:
        return result
    scaled = verifier.replace(judge=CalibratedJudge(verifier.judge, result))
    rows = _labelled_rows(scaled, claims, image_root, columns, is_first=False)
    # These are scaled already.
    neutral = _with_thresholds(replace(result, stance=1.0), rows, target_precision)
    return replace(neutral, stance=temperature)


def _check_enough(rows: Sequence[_Labelled], at_least: int, claims: Sequence[str | Path]) -> None:
    where = ", ".join(map(str, claims))
    _check_number(len(rows), "labelled rows with a verdict", checked_int("min_rows", at_least, 1), where)
    if len(rows) < _ENOUGH:
        _LOG.warning(
            "%d labelled rows are few for a calibration: %d fix a temperature to a few percent", len(rows), _ENOUGH
        )


def _check_number(found: int, what: str, at_least: int, where: str) -> None:
    if not found:
        raise InputError(
            f"calibration: no {what.replace('rows', 'row')} in {where}; give tables with labels, as for evaluation"
        )
    if found < at_least:
        raise InputError(
            f"calibration: {found} {what} in {where}, of which at least {at_least} are needed",
            field="min_rows",
            hint=f"give more; {_ENOUGH} fix a temperature to a few percent",
        )


def _of_pairs(rows: Sequence[_Labelled]) -> PairCalibration | None:
    """The stance's temperature of rows with a pair of images; None where these or the others are too few to stand by themselves."""
    pairs = [row for row in rows if row.label is not None]
    if min(len(pairs), len(rows) - len(pairs)) < _ENOUGH:
        return None
    temperature = _fitted("stance", [row.stance for row in pairs], [row.gold_stance for row in pairs])
    return PairCalibration(stance=temperature, rows=len(pairs))


def _with_thresholds(result: Calibration, rows: Sequence[_Labelled], target_precision: float | None) -> Calibration:
    """With the thresholds for a precision: one for each kind of row where each has its own calibration."""
    if target_precision is None:
        return result
    pairs = result.pairs
    if pairs is not None:
        threshold, coverage = _threshold(
            result, [row for row in rows if row.label is not None], target_precision, "image pairs"
        )
        result = replace(result, pairs=replace(pairs, abstain_below=threshold, coverage=coverage))
        rows = [row for row in rows if row.label is None]
    threshold, coverage = _threshold(result, rows, target_precision, None if pairs is None else "text only")
    return replace(result, abstain_below=threshold, target_precision=target_precision, coverage=coverage)


def _threshold(
    result: Calibration, rows: Sequence[_Labelled], target_precision: float, kind: str | None
) -> tuple[float, float]:
    """The threshold at which verdicts on these rows reach a precision, and its coverage."""
    confidence, right = zip(*(row.outcome(result) for row in rows), strict=True)
    try:
        point = threshold_for_precision(confidence, right, target_precision)
    except InputError as error:
        if kind is None:
            raise
        raise InputError(f"{kind}: {error}", field=error.field) from None
    return max(0.0, point.threshold - 0.5 * 10**-_DECIMALS), point.coverage


def _fitted(head: str, probabilities: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """The temperature of a head; one that stops at a bound is logged as a warning, for it fits no more than these rows."""
    temperature = fit_temperature(probabilities, gold)
    if any(abs(np.log(temperature / bound)) < 0.01 for bound in _BOUNDS):
        _LOG.warning(
            "the temperature of the %s head ended at the bound %.3g: its %d rows, of %d of %d classes, are too few or too much "
            "alike to calibrate on; give more rows of every class",
            head,
            temperature,
            len(gold),
            len(set(gold)),
            len(probabilities[0]),
        )
    return temperature


def _labelled_rows(
    verifier: "Verifier",
    claims: Sequence[str | Path],
    image_root: str | Path | None,
    columns: Mapping[str, str] | None,
    *,
    is_first: bool = True,
) -> list[_Labelled]:
    """The judged rows of the tables; those that cannot be read are left out, which is said the first time."""
    # Logits are wanted as they are: probabilities at a temperature of 1.
    neutral = verifier.replace(calibration=Calibration())
    rows: list[_Labelled] = []
    for path in map(Path, claims):
        root = Path(image_root) if image_root is not None else path.parent
        found, gold, pairs, bad = _judged_rows(neutral, path, root, columns)
        if bad and is_first:
            _LOG.warning("%s: bad rows left out: %d; the first is %s", path, len(bad), bad[0])
        classes = five_class_labels(gold, pairs)
        for place, row in found:
            label = classes[place]
            rows.append(row if label is None else replace(row, gold_label=FACTIFY_LABELS.index(label)))
    return rows


def _judged_rows(
    verifier: "Verifier", path: Path, root: Path, columns: Mapping[str, str] | None
) -> tuple[list[tuple[int, _Labelled]], list[FactifyLabel | Stance | None], list[bool], list[str]]:
    """The judged rows of one table by their place, without five-class labels; of all rows the gold label and whether they name images;
    and what is wrong with each row that cannot be read.
    """
    from factcheck.data import load_images, open_claims
    from factcheck.data.canonical import names_pairs
    from factcheck.data.claims import check_labels

    rows: list[tuple[int, _Labelled]] = []
    gold: list[FactifyLabel | Stance | None] = []
    pairs: list[bool] = []
    bad: list[str] = []
    for named in open_claims(path, columns=columns, on_error="mark").batches():
        first, labels = len(gold), named["label"].to_pylist()
        check_labels(named, str(path), first)
        told = zip(named["id"].to_pylist(), named["status"].to_pylist(), named["reasons"].to_pylist(), strict=True)
        bad += [
            f"row {first + place} (id {identifier!r}): {'; '.join(reasons)}"
            for place, (identifier, status, reasons) in enumerate(told)
            if status == "error"
        ]
        gold += [None if text is None else parse_label(text) for text in labels]
        pairs += names_pairs(named)
        table = load_images(named, root)
        for decided in verifier.decided_rows(table):
            lengths = verifier.builder.lengths([row.text() for row in decided.rows])
            for row, decision, tokens in zip(decided.rows, decided.decisions, lengths, strict=True):
                label = gold[first + row.number]
                # Without evidence the verdict is insufficient by definition: there is nothing to calibrate.
                if label is None or not decision.is_judged:
                    continue
                stance = STANCES.index(stance_of(label))
                rows.append((first + row.number, _Labelled(decision.stance, stance, tokens, decision.label, None)))
    return rows, gold, pairs, bad
