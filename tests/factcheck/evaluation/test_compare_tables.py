"""Two tables over the same rows: paired figures, the test, the rows that changed, and the exit code for CI."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.evaluation.compare import CHANGES, compare
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.records import verdict_schema

FIVE = [label.value for label in FACTIFY_LABELS]


def row(name, label, confidence=0.8, *, pair=False):
    stance = label.split("_")[0].lower()
    return {
        **{"id": str(name), "label": label, "stance": stance, "confidence": confidence, "abstained": False},
        **{"status": "ok", "model": "m"},
        "evidence": [{"document_id": "d", "sentence": 0, "start": 0, "end": 1, "text": "x", "score": 1.0}],
        "probabilities": {x: confidence if x == label else (1 - confidence) / 4 for x in FIVE} if pair else None,
        "stance_probabilities": {s.value: confidence if s == stance else (1 - confidence) / 2 for s in STANCES},
    }


def table(rows):
    return pa.Table.from_pylist(rows, schema=verdict_schema())


def truth(labels, **columns):
    return pa.table(
        {"id": [str(i) for i in range(len(labels))], "claim": ["c"] * len(labels), "label": labels, **columns}
    )


@pytest.fixture(scope="module")
def pair():
    """300 rows; A is right in about 70 of 100, B in about 80, mostly the same."""
    rng = np.random.default_rng(0)
    names = ["Support", "Insufficient", "Refute"]
    gold = rng.integers(0, 3, 300)
    first = np.where(rng.random(300) < 0.7, gold, (gold + 1) % 3)
    second = np.where(rng.random(300) < 0.4, gold, first)
    confidence = rng.uniform(0.4, 1, (2, 300))
    return (
        table([row(i, names[x], float(confidence[0, i])) for i, x in enumerate(first)]),
        table([row(i, names[x], float(confidence[1, i])) for i, x in enumerate(second)]),
        truth([names[x] for x in gold]),
        np.stack([first == gold, second == gold]),
    )


def test_figures_and_the_test_by_hand(pair):
    first, second, gold, right = pair
    found = compare(first, second, gold)
    accuracy = next(one for one in found.figures if one.name == "accuracy")
    assert (accuracy.first, accuracy.second) == pytest.approx((right[0].mean(), right[1].mean()))
    # The normal interval of a paired difference, which a bootstrap comes near on 300 rows.
    d = right[1].astype(float) - right[0]
    half = 1.96 * d.std() / 300**0.5
    np.testing.assert_allclose(accuracy.interval, (d.mean() - half, d.mean() + half), atol=0.012)
    assert accuracy.is_certain
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert (found.mcnemar.only_first, found.mcnemar.only_second) == (only_first, only_second)
    # Twice the tail of a fair coin.
    from math import comb

    n = only_first + only_second
    tail = sum(comb(n, k) for k in range(only_first + 1)) / 2**n
    assert found.mcnemar.p_value == pytest.approx(min(1, 2 * tail))


def test_a_table_does_not_differ_from_itself(pair):
    found = compare(pair[0], pair[0], pair[2])
    assert all(
        one.difference == 0 and one.interval == (0, 0) for one in (*found.figures, *found.parts, *found.coverage)
    )
    assert found.mcnemar.p_value == 1
    assert set(found.changes) == {CHANGES.index("the same")}


def test_parts_add_up_and_show_where_it_changed():
    labels = ["Support"] * 40 + ["Refute"] * 40
    first = table([row(i, "Support") for i in range(80)])
    second = table([row(i, "Support") if i < 60 else row(i, "Refute") for i in range(80)])
    found = compare(first, second, truth(labels, source=["one"] * 60 + ["two"] * 20))
    parts = {(one.name, one.group): one for one in found.parts}
    assert parts["gold class", "refute (stance)"].difference == 0.5
    assert parts["gold class", "support (stance)"].difference == 0
    assert parts["source", "two"].difference == 1
    assert sum(one.rows for one in found.parts if one.name == "source") == 80
    assert [found.ids[i] for i in np.flatnonzero(found.changes == CHANGES.index("mended"))] == [
        str(i) for i in range(60, 80)
    ]


def test_a_table_without_photos_is_not_asked_for_more_than_the_other():
    labels = ["Support_Multimodal"] * 30
    first = table([row(i, "Support") for i in range(30)])
    second = table([row(i, "Support_Text", pair=True) for i in range(30)])
    found = compare(first, second, truth(labels))
    accuracy = next(one for one in found.figures if one.name == "accuracy")
    assert (accuracy.first, accuracy.second) == (1, 1), "both name the stance that the label has"


def test_rows_of_one_table_alone_are_left_out_and_counted(pair):
    first, second, gold, _ = pair
    found = compare(first.slice(0, 200), second.slice(100), gold)
    assert (found.rows, found.only_first, found.only_second) == (100, 100, 100)
    with pytest.raises(InputError, match="the two tables have no labelled row in common"):
        compare(first.slice(0, 100), second.slice(200), gold)


def test_the_command_prints_writes_and_fails(pair, tmp_path, capsys):
    first, second, gold, _ = pair
    for name, one in (("a", first), ("b", second), ("t", gold)):
        pq.write_table(one, tmp_path / f"{name}.parquet")
    metrics = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, rate in zip(metrics, (50.0, 100.0), strict=True):
        path.write_text(json.dumps({"rows_per_second": rate}))
    a, b, t = (str(tmp_path / f"{name}.parquet") for name in "abt")
    rest = [
        "--truth",
        t,
        "--metrics",
        *map(str, metrics),
        "--json",
        str(tmp_path / "f.json"),
        "--report",
        str(tmp_path / "r.html"),
    ]
    assert main(["compare", a, b, *rest, "--fail-if-worse", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "300 labelled rows with a verdict in both tables" in out
    assert "seconds per 1,000 claims: A 20.0, B 10.0" in out
    assert "mended (" in out
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["main"]["name"] == "stance macro F1"
    assert len(figures["changed"]["mended"]) == figures["mcnemar"]["only_second"]
    page = (tmp_path / "r.html").read_text("utf-8")
    assert 'id="comparison"' in page
    assert "b.parquet compared with a.parquet" in page
    assert main(["compare", b, a, "--truth", t, "--fail-if-worse", "0.01"]) == 1
    assert "B is worse than A by more than 0.01: stance macro F1" in capsys.readouterr().err
    assert main(["compare", b, a, "--truth", t, "--fail-if-worse", "0.9"]) == 0
    (tmp_path / "a.json").write_text("[]")
    assert main(["compare", a, b, *rest]) == 2
    assert "--metrics" in capsys.readouterr().err
