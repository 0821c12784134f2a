"""What ``factcheck evaluate`` says of a verdict table, on tables made by hand."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from factcheck.cli import main
from factcheck.evaluation.report import write_report
from factcheck.evaluation.scoring import score
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.records import verdict_schema

FIVE = [label.value for label in FACTIFY_LABELS]


def verdict(name, label, confidence, pair=False, **changes):
    stance = label.split("_")[0].lower()
    rest = (1 - confidence) / 2
    return {
        "id": name,
        "label": label,
        "stance": stance,
        "image_relation": ("agree" if label.endswith("Multimodal") else "differ") if pair else None,
        "confidence": confidence,
        "abstained": False,
        "probabilities": {x: confidence if x == label else (1 - confidence) / 4 for x in FIVE} if pair else None,
        "stance_probabilities": {s.value: confidence if s == stance else rest for s in STANCES},
        "evidence": [
            {
                "document_id": name,
                "sentence": 0,
                "start": 0,
                "end": 1,
                "text": "first",
                "score": 1.0,
                "attribution": 0.1,
            },
            {
                "document_id": name,
                "sentence": 1,
                "start": 1,
                "end": 2,
                "text": f"<b>{name}",
                "score": 0.5,
                "attribution": 0.4,
            },
        ],
        "status": "ok",
        "model": "abc123def456",
    } | changes


ERROR = {
    "id": "broken",
    "abstained": True,
    "evidence": [],
    "status": "error",
    "reason": "line 5: bad",
    "model": "abc123def456",
}


@pytest.fixture
def tables(tmp_path):
    def write(rows, labels):
        out, truth = tmp_path / "v.parquet", tmp_path / "truth.csv"
        pq.write_table(pa.Table.from_pylist(rows, schema=verdict_schema()), out)
        lines = [f"{row['id']},claim of {row['id']},{label}" for row, label in zip(rows, labels, strict=True)]
        truth.write_text("\n".join(["id,claim,label", *lines]) + "\n")
        return out, truth

    return write


def test_rows_without_evidence_do_not_count_in_the_confidence(tables):
    bare = {"evidence": [], "abstained": True, "status": "degraded", "reason": "document: empty"}
    rows = [verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8), verdict("c", "Insufficient", 1.0, **bare)]
    scores = score(*tables(rows, ["support", "refute", "support"]))
    assert scores.stance.accuracy == pytest.approx(2 / 3)
    assert (scores.operating.rows, scores.operating.accuracy_at[1.0]) == (2, 1.0)
    assert [(p.threshold, p.kept, p.precision) for p in scores.operating.thresholds][6] == (
        0.95,
        0,
        None,
    )
    assert scores.operating.ece == pytest.approx(0.15)


def test_rows_in_error_are_not_counted_as_abstentions(tables, tmp_path, capsys):
    rows = [verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8, abstained=True), ERROR]
    out, truth = tables(rows, ["support", "refute", "support"])
    assert score(out, truth).abstained == 1
    assert main(["evaluate", str(out), "--truth", str(truth)]) == 0
    assert "3 rows (error 1, ok 2); 1 abstained" in capsys.readouterr().out
    for gold in (truth, None):
        page = write_report(tmp_path / "r.html", out, gold).read_text("utf-8")
        assert "1 of 3 verdicts are marked as abstained; 1 in error not counted" in page


def test_labelled_rows_without_a_verdict_are_counted(tables, capsys):
    rows = [verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8)]
    out, truth = tables(rows, ["support", "refute"])
    with truth.open("a") as stream:
        stream.write("c,more,refute\nd,unlabelled,\n")
    assert score(out, truth).unscored == 1
    assert main(["evaluate", str(out), "--truth", str(truth)]) == 0
    assert "1 labelled row of the truth table without a verdict: not scored" in capsys.readouterr().out


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("csv", "\t"), ("tsv", "\t"), ("parquet", "")])
def test_sources_of_any_table(tables, ending, separator, tmp_path):
    rows = [verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8)]
    out, _ = tables(rows, ["support", "refute"])
    table = pa.table({"id": ["a", "b"], "text": ["x", "y"], "label": ["support", "support"], "source": ["one", "two"]})
    truth = tmp_path / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(table, truth)
    else:
        csv.write_csv(table, truth, csv.WriteOptions(delimiter=separator))
    scores = score(out, truth, columns={"claim": "text"})
    assert {name: part.accuracy for name, part in scores.by_source.items()} == {"one": 1.0, "two": 0.0}


def test_without_photos_there_is_no_image_relation_and_a_reason_is_given(tables, tmp_path, capsys):
    rows = [verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8)]
    out, truth = tables(rows, ["Support_Text", "Refute"])
    scores = score(out, truth)
    assert scores.image_relation is None
    assert scores.without_pair == 2
    assert main(["evaluate", str(out), "--truth", str(truth), "--report", str(tmp_path / "r.html")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    remark = "2 of these 2 rows have no pair of photos: their verdict names the stance alone"
    assert remark in printed
    assert remark in (tmp_path / "r.html").read_text()
    assert "image relation" not in printed
    assert "<h3>Photos</h3>" not in (tmp_path / "r.html").read_text()


def test_with_photos_there_is_an_image_relation(tables):
    out, truth = tables([verdict("a", "Support_Text", 0.9, pair=True)], ["Support_Text"])
    scores = score(out, truth)
    assert scores.image_relation.accuracy == 1
    assert scores.image_remark is None


def test_examples_come_worst_first(tables):
    rows = [
        verdict("right, unsure", "Support", 0.5),
        verdict("wrong, unsure", "Support", 0.6),
        verdict("not judged", "Insufficient", 1.0, evidence=[]),
        ERROR,
        verdict("right", "Refute", 0.9),
        verdict("wrong, sure", "Support", 0.95),
    ]
    out, truth = tables([{**row, "id": row["id"].replace(",", "")} for row in rows], ["support", *["refute"] * 5])
    examples = score(out, truth).examples
    assert [e.id for e in examples] == ["wrong sure", "wrong unsure", "broken", "not judged", "right unsure", "right"]
    assert [e.right for e in examples] == [False, False, False, False, True, True]
    assert examples[0].claim == "claim of wrong sure"
    assert examples[0].evidence == "<b>wrong, sure", "the sentence of highest attribution"
    assert (examples[2].predicted, examples[2].confidence, examples[2].evidence) == (None, None, None)


def test_a_verdict_without_a_pair_is_not_wrong_for_lack_of_a_photo_part(tables):
    out, truth = tables([verdict("a", "Support", 0.9)], ["Support_Multimodal"])
    assert score(out, truth).examples[0].right


def test_a_label_that_is_none_is_refused(tables, capsys):
    out, truth = tables([verdict("a", "Support", 0.9), verdict("b", "Refute", 0.8)], ["support", "half-true"])
    assert main(["evaluate", str(out), "--truth", str(truth)]) == 2
    assert "row 1 (id 'b'), label: unknown label 'half-true'" in capsys.readouterr().err


def test_one_row(tables, tmp_path, capsys):
    out, truth = tables([verdict("a", "Support", 0.9)], ["support"])
    assert main(["evaluate", str(out), "--truth", str(truth), "--json", str(tmp_path / "f.json")]) == 0
    assert "1 row (ok 1)" in capsys.readouterr().out
    assert json.loads((tmp_path / "f.json").read_text())["models"] == ["abc123def456"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (3, "the training table has 3 labelled rows; baselines need at least 10, of two classes"),
        (1, "the training table has 1 labelled row; baselines need at least 10"),
        (12, "all rows have the label 'Support'; baselines need at least two classes"),
    ],
)
def test_baselines_on_too_little(tables, tmp_path, monkeypatch, capsys, rows, message):
    out, truth = tables([verdict("a", "Support", 0.9)], ["support"])
    train = tmp_path / "train.csv"
    train.write_text("claim,document,label\n" + "a,b,support\n" * rows)
    monkeypatch.setattr("factcheck.commands.evaluate.quiet_libraries", None)  # called just before the long work
    assert main(["evaluate", str(out), "--truth", str(truth), "--baselines", str(train)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.parquet", "--truth", "truth.csv"], "verdict table 'gone.parquet': no such file"),
        (["v.parquet", "--truth", "gone.csv"], "gone.csv: no such file"),
        (["v.parquet", "--truth", "truth.csv", "--baselines", "gone.csv"], "gone.csv: no such file"),
    ],
)
def test_missing_tables(tables, tmp_path, monkeypatch, capsys, arguments, message):
    tables([verdict("a", "Support", 0.9)], ["support"])
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err
