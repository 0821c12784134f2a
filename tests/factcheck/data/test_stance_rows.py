"""The hand-written documents and claims: sound lines, and rows that a training can read."""

import json
import runpy
import sys
from collections import Counter
from pathlib import Path

import pytest

from factcheck.training.verdict.rows import read_training_rows

DATA = Path(__file__).parents[3] / "data"
LABELS = ("support", "refute", "insufficient")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("stance")
    argv, sys.argv = sys.argv, ["stance_rows.py", str(out)]
    try:
        runpy.run_path(str(DATA / "stance_rows.py"), run_name="__main__")
    finally:
        sys.argv = argv
    return out


@pytest.mark.parametrize("file", sorted((DATA / "stance").glob("*.jsonl")), ids=lambda file: file.stem)
def test_lines_are_whole(file):
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        entry = json.loads(line)
        assert sorted(entry) == ["document", "insufficient", "refute", "support"], number
        texts = [*entry["document"], *(claim for label in LABELS for claim in entry[label])]
        assert entry["document"], number
        assert all(text and text == text.strip() for text in texts), number


def test_no_document_stands_twice():
    lines = [line for file in (DATA / "stance").glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    times = Counter(" ".join(json.loads(line)["document"]) for line in lines)
    assert [text for text, count in times.items() if count > 1] == []


def test_the_rows_are_what_the_training_reads(made):
    parts = {name: read_training_rows(made / f"{name}.jsonl") for name in ("train", "val")}
    assert 10 < len(parts["train"]) / len(parts["val"]) < 22
    for name, rows in parts.items():
        shares = Counter(json.loads(line)["label"] for line in (made / f"{name}.jsonl").read_text("utf-8").splitlines())
        assert min(shares.values()) / max(shares.values()) > 0.9
        assert all(row.source.startswith("stance-") for row in rows)
    documents = [
        {json.dumps(json.loads(line)["document"]) for line in (made / f"{name}.jsonl").read_text("utf-8").splitlines()}
        for name in ("train", "val")
    ]
    assert not documents[0] & documents[1]
