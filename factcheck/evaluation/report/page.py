"""The report: one self-contained HTML file of a verdict table, with or without gold labels.

The page makes no request (its content security policy allows none), runs one script and one style sheet known by their hashes, and
draws texts of tables as text alone. Details of the cases travel compressed, in parts that the script unpacks when they are looked at.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from numpy.typing import NDArray

from factcheck.data import load_images, open_claims
from factcheck.evaluation.compare import CHANGES, Comparison
from factcheck.evaluation.confidence import TARGETS
from factcheck.evaluation.examples import reading_order
from factcheck.evaluation.judged import Judged, judge
from factcheck.evaluation.matching import Joined, Progress, join_tables, without_truth
from factcheck.evaluation.metrics import Classification
from factcheck.evaluation.report import charts
from factcheck.evaluation.report.cases import case_of
from factcheck.evaluation.report.images import ImageStore, SmallImage, image_note
from factcheck.evaluation.report.summary import advice, figures
from factcheck.evaluation.scoring import score_joined
from factcheck.evaluation.slices import slices_of
from factcheck.labels import FACTIFY_LABELS, STANCE_LABELS, STANCES
from factcheck.outputs import REPORT_GENERATOR
from factcheck.verification.single import any_claims
from retrieval.durable import replacing

__all__ = ["MAX_CASES", "MAX_IMAGES", "write_report"]

#: Cases that the page lets one look into, and images in it; those to be read first come first.
MAX_CASES, MAX_IMAGES = 20_000, 1_000
_CHUNK = 100
_CLAIM_SHOWN = 180
_Row = tuple[int, dict[str, Any] | None, dict[str, Any] | None]


def write_report(
    path: str | Path,
    verdicts: Any,
    truth: Any = None,
    *,
    title: str | None = None,
    columns: Mapping[str, str] | None = None,
    image_root: str | Path | None = None,
    max_images: int = MAX_IMAGES,
    max_cases: int = MAX_CASES,
    targets: Sequence[float] = TARGETS,
    baselines: Mapping[str, Classification] | None = None,
    baselines_by_source: Mapping[str, Mapping[str, float]] | None = None,
    comparison: Comparison | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a verdict table.

    Args:
        path: HTML file to write.
        verdicts: the verdict table, a file or a table.
        truth: the claims table that was verified, with gold labels or without. Without it neither claims nor documents nor
            images are shown: a verdict table does not hold them.
        title: heading.
        columns: names of columns in ``truth``.
        image_root: folder that image paths are relative to; by default that of ``truth``.
        max_images: most images in the page, small copies of some 10 KB each.
        max_cases: most cases in the page; the figures are over all rows all the same.
        targets: precisions in (0, 1] that thresholds are shown for.
        baselines: figures of baselines by name.
        baselines_by_source: stance accuracy of baselines by source and name.
        comparison: of ``verdicts`` as table B with another table, which the page then shows, too.
        progress: called with the number of claims read for the page and of all.

    Raises:
        InputError: a table cannot be read, the tables do not belong together, or the file cannot be written.
    """
    joined = without_truth(verdicts) if truth is None else join_tables(verdicts, truth, columns=columns)
    judged = judge(joined.verdicts, joined.labels, joined.classes)
    scores = score_joined(joined, judged, targets=targets) if judged.labelled.any() else None
    order = reading_order(judged)[:max_cases]
    store = ImageStore(max_images)
    claims = _Claims(truth, columns, image_root, joined.verdicts.num_rows)
    cases = _cases(joined, judged, order, claims, store, comparison, progress)
    names = [(what, _name(table)) for what, table in (("Verdicts", verdicts), ("Claims", truth)) if table is not None]
    text = _render(
        generator=Markup(REPORT_GENERATOR),
        title=title or f"Verdicts of {names[0][1]}",
        tables=names,
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        joined=joined,
        models=sorted({model for model in joined.verdicts["model"].unique().to_pylist() if model}),
        scores=scores,
        figures=figures(scores, joined),
        advice=advice(scores, joined, baselines or {}),
        baselines=baselines or {},
        baselines_by_source=baselines_by_source or {},
        comparison=comparison,
        index=_json(_index(joined, judged, order, comparison)),
        chunks=[_packed(cases[start : start + _CHUNK]) for start in range(0, len(cases), _CHUNK)],
        images=store.images,
        turned_down=store.turned_down,
        left_out=joined.verdicts.num_rows - len(order),
        middle=float(judged.right[judged.labelled].mean()) if scores else None,
    )
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")
    return Path(path)


def _render(**values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("factcheck.evaluation.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = asset("case.css", "report.css"), asset("case.js", "report.js")
    return environment.get_template("report.html.j2").render(
        style=Markup(style),
        script=Markup(script),
        policy=content_policy(style, script),
        charts=charts,
        heat_of=_heat,
        **values,
    )


def _heat(count: int, whole: int) -> int:
    """Which of five shades a cell of a confusion matrix has, by its share of the row; 0 for none."""
    return min(5, 1 + int(5 * count / whole)) if count and whole else 0


def asset(*names: str) -> str:
    """Style sheets or scripts of the page, one after the other."""
    folder = files("factcheck.evaluation.report") / "assets"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


def content_policy(style: str, script: str) -> str:
    """A content security policy under which nothing but this style sheet and this script has any effect."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    style_hash, script_hash = hashes
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(value: Any) -> Markup:
    """JSON that no browser takes for markup, whatever texts are in it."""
    text = _compact(value)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _packed(cases: Sequence[str]) -> str:
    data = f"[{','.join(cases)}]".encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def _index(joined: Joined, judged: Judged, order: NDArray[np.int64], comparison: Comparison | None) -> dict[str, Any]:
    """What the list and its filters need of every case: column by column, in reading order."""
    table = joined.verdicts
    ids = table["id"].to_pylist()
    outcome = np.where(~judged.labelled, 2, np.where(judged.right, 0, 1))
    facets = [
        _facet(
            "label",
            "Verdict",
            [*FACTIFY_LABELS, *dict.fromkeys(STANCE_LABELS.values())],
            table["label"].to_pylist(),
            order,
        ),
        _facet("stance", "Stance", STANCES, table["stance"].to_pylist(), order),
        _facet("gold", "Gold label", [], [label.value if label else None for label in joined.labels], order),
        _facet(
            "goldstance",
            "Gold stance",
            STANCES,
            [STANCES[place].value if place >= 0 else None for place in judged.gold_stance],
            order,
        ),
        {
            "key": "outcome",
            "title": "Outcome",
            "names": ["right", "wrong", "no gold label"],
            "codes": outcome[order].tolist(),
        },
        {
            "key": "withheld",
            "title": "Withheld",
            "names": ["given", "withheld", "in error"],
            "codes": np.where(judged.failed, 2, judged.abstained)[order].tolist(),
        },
    ]
    if comparison:
        names = [*CHANGES, "not in A"]
        codes = np.where(comparison.changes < 0, len(CHANGES), comparison.changes)[order]
        facets.append({"key": "change", "title": "Compared with A", "names": names, "codes": codes.tolist()})
    for name, groups in slices_of(joined, judged).items():
        title = name[0].upper() + name[1:]
        facets.append(
            {"key": name, "title": title, "names": list(groups.names), "codes": groups.places[order].tolist()}
        )
    if "status" not in {facet["key"] for facet in facets}:
        facets.append(_facet("status", "Status", [], table["status"].to_pylist(), order))
    return {
        "ids": [ids[i] for i in order],
        "unique": len(set(ids)) == len(ids),
        "claims": [_short(joined.truth[i].claim) for i in order],
        "confidence": [None if np.isnan(c) else round(float(c), 3) for c in judged.confidence[order]],
        "facets": [
            facet for facet in facets if len(set(facet["codes"])) > 1 or facet["key"] in ("label", "status", "withheld")
        ],
        "chunk": _CHUNK,
    }


def _facet(
    key: str, title: str, names: Sequence[str], values: Sequence[str | None], order: NDArray[np.int64]
) -> dict[str, Any]:
    known = list(dict.fromkeys([*(str(name) for name in names), *sorted({value for value in values if value})]))
    present = [name for name in known if name in set(values)]
    places = {name: place for place, name in enumerate(present)}
    codes = [places.get(values[i] or "", -1) for i in order]
    if -1 in codes:
        codes = [len(present) if code < 0 else code for code in codes]
        present.append("(none)")
    return {"key": key, "title": title, "names": present, "codes": codes}


def _cases(
    joined: Joined,
    judged: Judged,
    order: NDArray[np.int64],
    claims: "_Claims",
    store: ImageStore,
    comparison: Comparison | None,
    progress: Progress | None,
) -> list[str]:
    """The cases in reading order, each as JSON. The claims table is gone through once, and of each row no more is kept than is shown."""
    at: dict[int, list[int]] = {}
    for place in order.tolist():
        at.setdefault(int(joined.places[place]), []).append(place)
    # Images of cases that come late in reading order would find no room: they are not even read.
    early = set(order[: store.most].tolist())
    with_images = {number for number, places in at.items() if early.intersection(places)}
    found: dict[int, tuple[str, dict[str, SmallImage | str | None]]] = {}
    for rows in claims.read(set(at), with_images):
        places = [place for number, _, _ in rows for place in at[number]]
        verdicts = dict(zip(places, joined.verdicts.take(places).to_pylist(), strict=True))
        for number, row, loaded in rows:
            for place in at[number]:
                gold = joined.labels[place]
                case = case_of(
                    verdicts[place],
                    row,
                    gold=gold.value if gold else None,
                    right=bool(judged.right[place]) if gold else None,
                    before=comparison.before[place] if comparison else None,
                )
                found[place] = _compact(case), _small_images(row, loaded, store)
        if progress:
            progress(len(found), len(order))
    texts = []
    for place in order.tolist():
        text, images = found[place]
        texts.append(f'{{"case":{text},"images":{_compact({side: store.add(one) for side, one in images.items()})}}}')
    return texts


class _Claims:
    """The claims table of a report, read row by row; without one, rows that hold nothing."""

    def __init__(
        self,
        truth: Any,
        columns: Mapping[str, str] | None,
        image_root: str | Path | None,
        rows: int,
    ) -> None:
        self._truth, self._columns, self._rows = truth, columns, rows
        beside = Path(truth).parent if isinstance(truth, str | Path) else None
        self._root = image_root or beside

    def read(self, wanted: set[int], with_images: set[int]) -> Iterator[list[_Row]]:
        """Of the wanted rows, in batches: number, canonical row, and the row with its images loaded where they are wanted."""
        if self._truth is None:
            for start in range(0, self._rows, 256):
                yield [
                    (number, None, None) for number in range(start, min(start + 256, self._rows)) if number in wanted
                ]
            return
        if not isinstance(self._truth, str | Path):
            whole = any_claims(self._truth, "truth", columns=self._columns)
            batches: Iterable[pa.Table] = (whole.slice(start, 256) for start in range(0, whole.num_rows, 256))
        else:
            batches = open_claims(self._truth, columns=self._columns, on_error="mark").batches(256)
        first = 0
        for batch in batches:
            numbers = [number for number in range(first, first + batch.num_rows) if number in wanted]
            part = batch.take([number - first for number in numbers])
            first += batch.num_rows
            shown = [i for i, number in enumerate(numbers) if number in with_images]
            read = load_images(part.take(shown), self._root).to_pylist() if shown else []
            loaded: dict[int, dict[str, Any]] = dict(zip(shown, read, strict=True))
            yield [
                (number, row, loaded.get(i))
                for i, (number, row) in enumerate(zip(numbers, part.to_pylist(), strict=True))
            ]


def _small_images(
    row: dict[str, Any] | None, loaded: dict[str, Any] | None, store: ImageStore
) -> dict[str, SmallImage | str | None]:
    if row is None:
        return {}
    found: dict[str, SmallImage | str | None] = {}
    for side in ("claim", "document"):
        given = row[f"{side}_image"] is not None
        cell = loaded[f"{side}_image"] if loaded else None
        if given and loaded is None:
            found[side] = None
        elif cell is None or not cell["bytes"]:
            found[side] = image_note(side, (loaded or row)["reasons"] or [], given)
        else:
            found[side] = store.shrink(cell["bytes"])
    return found


def _name(table: Any) -> str:
    return Path(table).name if isinstance(table, str | Path) else "a table in memory"


def _short(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= _CLAIM_SHOWN else text[: _CLAIM_SHOWN - 1] + "…"
