"""Reviewers' decisions: kept through kills, taken back, agreed on or not."""

import json
import subprocess
import sys

import pytest
from sklearn.metrics import cohen_kappa_score

from factcheck.app.decisions import Decision, DecisionLog, agreement, consensus
from factcheck.errors import InputError
from factcheck.labels import ImageRelation, Stance

SUPPORT, INSUFFICIENT, REFUTE = Stance


def test_the_last_decision_counts_and_can_be_taken_back(tmp_path):
    log = DecisionLog(tmp_path / "d.jsonl")
    log.add(Decision(id="1", reviewer="ann", stance=SUPPORT))
    log.add(Decision(id="2", reviewer="ann", stance=REFUTE, note="see line 3\nand 4"))
    log.add(Decision(id="1", reviewer="ann", stance=REFUTE))
    assert log.current()["1", "ann"].stance is REFUTE
    assert log.undo("ann").stance is REFUTE
    assert log.current()["1", "ann"].stance is SUPPORT
    assert log.undo("ann").id == "2"
    assert log.undo("ann").id == "1"
    assert log.undo("ann") is None
    assert log.current() == {}
    assert DecisionLog(log.path).current() == {}


def test_two_processes_see_each_other(tmp_path):
    ann, ben = DecisionLog(tmp_path / "d.jsonl"), DecisionLog(tmp_path / "d.jsonl")
    ann.add(Decision(id="1", reviewer="ann", stance=SUPPORT))
    ben.add(Decision(id="1", reviewer="ben", stance=REFUTE))
    assert set(ann.current()) == {("1", "ann"), ("1", "ben")}
    assert ben.undo("ann").reviewer == "ann"


def test_what_was_added_survives_a_kill_and_half_a_line_is_cut_off(tmp_path, caplog):
    path = tmp_path / "d.jsonl"
    code = f"""
import os, signal
from factcheck.app.decisions import Decision, DecisionLog
from factcheck.labels import Stance
log = DecisionLog({str(path)!r})
for i in range(20):
    log.add(Decision(id=str(i), reviewer="ann", stance=Stance.SUPPORT))
with open(log.path, "ab") as file:
    file.write(b'{{"id": "99", "revie')
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    log = DecisionLog(path)
    assert len(log.current()) == 20
    log.add(Decision(id="20", reviewer="ann", stance=REFUTE))
    assert "half written" in caplog.text
    assert len(DecisionLog(path).current()) == 21
    assert all(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    "content", ["not json\n", '["a"]\n', '{"id": "1", "reviewer": "a", "stance": "maybe"}\n', '{"claim": "x"}\n']
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(InputError, match="is not a file of decisions"):
        DecisionLog(tmp_path / "x.jsonl")


def test_mistakes(tmp_path):
    log = DecisionLog(tmp_path / "d.jsonl")
    with pytest.raises(InputError, match="needs the `id` of a row and a `reviewer`"):
        log.add(Decision(id="1", reviewer=" ", stance=SUPPORT))
    with pytest.raises(InputError, match="a decision says something"):
        log.add(Decision(id="1", reviewer="ann"))
    with pytest.raises(InputError, match="has 10001 characters"):
        log.add(Decision(id="1", reviewer="ann", note="x" * 10_001))
    with pytest.raises(InputError, match="is a folder"):
        DecisionLog(tmp_path)
    assert not log.path.exists()


def test_labels():
    say = {"id": "1", "reviewer": "ann"}
    assert Decision(**say, stance=SUPPORT).label_name == "Support"
    assert Decision(**say, stance=SUPPORT, image_relation=ImageRelation.DIFFER).label_name == "Support_Text"
    assert Decision(**say, stance=REFUTE, image_relation=ImageRelation.AGREE).label_name == "Refute"
    assert Decision(**say, note="unsure").label_name is None


def test_consensus_needs_more_than_half():
    def said(*stances):
        return [Decision(id="1", reviewer=str(i), stance=s, time=i) for i, s in enumerate(stances)]

    assert consensus(said(SUPPORT, SUPPORT, REFUTE)).stance is SUPPORT
    assert consensus(said(SUPPORT, REFUTE)) is None
    assert consensus(said(REFUTE)).reviewer == "0"
    assert consensus([]) is None


def test_kappa_is_scikit_learns():
    ann = [SUPPORT, SUPPORT, REFUTE, INSUFFICIENT, REFUTE]
    ben = [SUPPORT, REFUTE, REFUTE, INSUFFICIENT, INSUFFICIENT]
    decisions = [Decision(id=str(i), reviewer="ann", stance=s) for i, s in enumerate(ann)]
    decisions += [Decision(id=str(i), reviewer="ben", stance=s) for i, s in enumerate(ben)]
    decisions += [Decision(id="9", reviewer="cat", stance=SUPPORT), Decision(id="8", reviewer="ann", note="?")]
    (found,) = agreement(decisions)
    assert (found["reviewers"], found["rows"], found["agreed"]) == (("ann", "ben"), 5, 0.6)
    assert found["kappa"] == pytest.approx(cohen_kappa_score(ann, ben))
    same = [Decision(id=str(i), reviewer=who, stance=SUPPORT) for i in range(3) for who in ("ann", "ben")]
    assert agreement(same)[0]["kappa"] is None
