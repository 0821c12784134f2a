"""The review page's server, the order of its queue, corrections, Label Studio."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import running

from factcheck import Verifier
from factcheck.app.corrections import from_label_studio, to_label_studio
from factcheck.app.decisions import Decision, DecisionLog
from factcheck.app.queue import ReviewQueue
from factcheck.app.review import review_app
from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.labels import ImageRelation, Stance
from factcheck.training.verdict.rows import read_training_rows
from factcheck.verification import verify_file

TOKEN = "secret-token"


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


@pytest.fixture(scope="module")
def reviewed(verifier, factify_folder, tmp_path_factory):
    """A verdict table of ten rows with photos, and its claims."""
    out = tmp_path_factory.mktemp("review") / "v.parquet"
    verify_file(verifier, factify_folder / "val.csv", out)
    return out, factify_folder / "val.csv"


@pytest.fixture
def queue(reviewed):
    return ReviewQueue(*reviewed)


@pytest.fixture
def log(tmp_path):
    return DecisionLog(tmp_path / "d.jsonl")


@pytest.fixture
def page(queue, log, verifier):
    app = review_app(queue, log, token=TOKEN, verify=verifier.verify_batch)
    with running(app) as url, httpx.Client(base_url=f"{url}/{TOKEN}/", timeout=60) as client:
        yield client


def test_disputed_first_then_abstained_then_the_least_confident(queue):
    queue._abstained = [n in (2, 5) for n in range(10)]
    queue._confidence = [0.9, 0.8, 0.7, 0.3, 0.6, 0.5, 0.95, 0.4, 0.85, 0.99]
    queue._status = ["ok"] * 9 + ["error"]
    ids = queue.ids
    said = [
        Decision(id=ids[8], reviewer=who, stance=stance)
        for who, stance in (("ann", Stance.SUPPORT), ("ben", Stance.REFUTE))
    ]
    said.append(Decision(id=ids[3], reviewer="cat", stance=Stance.REFUTE))
    assert queue.order(said, "cat") == [8, 5, 2, 7, 4, 1, 0, 6, 9]
    assert 8 not in queue.order(said, "ann")


def test_a_decision_is_kept_counted_and_taken_back(page, queue, log):
    state = page.get("api/state", params={"reviewer": "ann"}).json()
    assert (state["rows"], state["mine"], len(state["queue"])) == (10, 0, 10)
    n = state["queue"][0]["n"]
    case = page.get(f"api/case/{n}", params={"reviewer": "ann"}).json()
    assert case["images"]["claim"].startswith("data:image/webp;base64,")
    assert case["case"]["evidence"]
    sent = {
        "id": case["case"]["id"],
        "reviewer": "ann",
        "stance": "refute",
        "image_relation": "differ",
        "note": "2 not 3",
    }
    assert page.post("api/decide", json=sent).json()["mine"] == 1
    assert log.current()[sent["id"], "ann"].note == "2 not 3"
    assert page.get(f"api/case/{n}", params={"reviewer": "ann"}).json()["mine"]["stance"] == "refute"
    hidden = page.get(f"api/case/{n}", params={"reviewer": "ben"}).json()
    assert (hidden["mine"], hidden["others"]) == (None, 1)  # not led by what others said
    assert page.post("api/undo", json={"reviewer": "ann"}).json() | {"reviewers": []} == {
        "n": n,
        "rows": 10,
        "decided": 0,
        "mine": 0,
        "reviewers": [],
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"id": "nobody", "reviewer": "ann", "stance": "refute"}, "there is no row 'nobody'"),
        ({"reviewer": "ann"}, "there is no row"),
        ({"id": 0, "reviewer": "ann", "stance": "maybe"}, "'maybe' is not a valid Stance"),
        ({"id": 0, "reviewer": "", "stance": "refute"}, "a `reviewer` has a name"),
        ({"id": 0, "reviewer": "ann"}, "a decision says something"),
        ([], "a decision is an object"),
    ],
)
def test_decisions_that_are_none(page, queue, log, body, said):
    if isinstance(body, dict) and body.get("id") == 0:
        body = body | {"id": queue.ids[0]}
    answer = page.post("api/decide", json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text
    assert log.current() == {}


def test_nobody_without_the_token_and_no_other_site(page, log, queue):
    base = str(page.base_url).removesuffix(f"/{TOKEN}/")
    for path in ("/", "/api/state", "/wrong/api/state?reviewer=x", "/review.js"):
        assert httpx.get(base + path).status_code == 404
    url = str(page.base_url) + "api/decide"
    sent = {"id": queue.ids[0], "reviewer": "x", "stance": "refute"}
    assert httpx.post(url, json=sent, headers={"host": "evil.example"}).status_code == 421
    assert httpx.post(url, content=json.dumps(sent), headers={"content-type": "text/plain"}).status_code == 415
    assert log.current() == {}
    policy = page.get("").headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy


def test_trying_one_claim(page, photo):
    import base64

    picture = base64.b64encode(photo(3)).decode()
    found = page.post(
        "api/try", json={"claim": "A dog runs", "document": "A dog runs in the park.", "claim_image": picture}
    )
    assert found.json()["case"]["label"] in ("Support", "Refute", "Insufficient")
    assert found.json()["images"]["claim"].startswith("data:image/webp")
    assert found.json()["images"]["document"] == {"note": "no image"}
    assert page.post("api/try", json={"document": "x"}).status_code == 422


def decide_all(queue, log):
    """Ann says what is true of the first four rows, Ben agrees but for the last."""
    for n in range(4):
        for who in ("ann", "ben"):
            stance = Stance.REFUTE if n % 2 and not (who == "ben" and n == 3) else Stance.SUPPORT
            relation = ImageRelation.AGREE if n == 0 else None
            log.add(Decision(id=queue.ids[n], reviewer=who, stance=stance, image_relation=relation))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_corrections_are_read_by_training_and_evaluation(reviewed, queue, tmp_path, capsys, suffix):
    verdicts, claims = reviewed
    log = DecisionLog(tmp_path / "d.jsonl")
    decide_all(queue, log)
    out = claims.parent / f"corrections{suffix}"
    common = ["--claims", str(claims), "--decisions", str(log.path)]
    assert main(["review", "export", str(verdicts), *common, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "3 rows -> " in said.out
    assert "1 row without a label, on which reviewers do not agree" in said.err
    rows = read_training_rows(out)
    assert [row.id for row in rows] == queue.ids[:3]
    assert [row.stance for row in rows] == [0, 2, 0]
    assert rows[0].label == 0  # Support_Multimodal: the reviewers said that the photos agree
    assert main(["review", "export", str(verdicts), *common, "--out", str(out), "--all"]) == 0
    assert main(["evaluate", str(verdicts), "--truth", str(out)]) == 0


def test_label_studio_there_and_back(queue, log, tmp_path, reviewed, capsys):
    decide_all(queue, log)
    log.add(Decision(id=queue.ids[5], reviewer="ann", note="unclear"))
    tasks = json.loads(json.dumps(to_label_studio(queue, log)))
    assert len(tasks) == 10
    assert tasks[0]["predictions"][0]["result"][0]["value"]["choices"][0] in [stance.value for stance in Stance]
    back = from_label_studio(tasks, queue.ids)
    same = {(d.id, d.reviewer): (d.stance, d.image_relation, d.note) for d in back}
    assert same == {key: (d.stance, d.image_relation, d.note) for key, d in log.current().items()}
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    verdicts, claims = reviewed
    other = tmp_path / "other.jsonl"
    command = [
        "review",
        "import",
        str(verdicts),
        "--claims",
        str(claims),
        "--decisions",
        str(other),
        "--tasks",
        str(tmp_path / "tasks.json"),
    ]
    assert main(command) == 0
    assert "9 decisions added" in capsys.readouterr().out
    assert main(command) == 0
    assert "0 decisions added" in capsys.readouterr().out
    with pytest.raises(InputError, match="no row has the id 'x'"):
        from_label_studio([{"data": {"id": "x"}}], queue.ids)
    with pytest.raises(InputError, match="not an export of Label Studio"):
        from_label_studio({"tasks": []}, queue.ids)


def test_verdicts_of_another_table_are_refused(reviewed, tmp_path):
    verdicts, _ = reviewed
    (tmp_path / "other.csv").write_text("id,claim\nzz,A dog runs.\n")
    with pytest.raises(InputError, match="10 verdicts are of no row of the claims table"):
        ReviewQueue(verdicts, tmp_path / "other.csv")
    pq.write_table(pq.read_table(verdicts).slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(InputError, match="there is nothing to review"):
        ReviewQueue(tmp_path / "empty.parquet", tmp_path / "other.csv")


def _when_up(url: str) -> dict:
    for _ in range(1200):
        with contextlib.suppress(httpx.ConnectError):
            return httpx.get(url, params={"reviewer": "ann"}, timeout=60).json()
        time.sleep(0.05)
    raise AssertionError("the server did not come up")


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop_and_loses_nothing(reviewed, tmp_path):
    verdicts, claims = reviewed
    decisions = tmp_path / "d.jsonl"
    command = [
        sys.executable,
        "-m",
        "factcheck",
        "review",
        str(verdicts),
        "--claims",
        str(claims),
        "--decisions",
        str(decisions),
        "--model",
        "none",
    ]
    for stop in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            url = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", lines[1]).group()
            state = _when_up(f"{url}api/state")
            sent = {"id": state["queue"][0]["id"], "reviewer": "ann", "stance": "support"}
            assert httpx.post(f"{url}api/decide", json=sent, timeout=60).status_code == 200
            process.send_signal(stop)
            process.wait(60)
        finally:
            process.kill()
    assert state["mine"] == 1  # the second server knew what the killed one had kept
    assert len(DecisionLog(decisions).current()) == 2


def test_verdict_tables_hold_ids_as_text(queue):
    assert all(isinstance(identifier, str) for identifier in queue.ids)
    assert isinstance(queue.claims, pa.Table)


def test_review_says_in_a_line_that_the_extra_is_missing(reviewed, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "starlette", None)
    monkeypatch.delitem(sys.modules, "factcheck.app.review")
    assert main(["review", str(reviewed[0]), "--claims", str(reviewed[1])]) == 2
    err = capsys.readouterr().err
    assert "needs the package starlette, which is not installed; run: pip install 'factcheck-twins[app]'" in err
    assert err.count("\n") == 1
