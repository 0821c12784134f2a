"""The JSON endpoint: verdicts as verify_batch gives them, under load, with hostile bodies."""

import base64
import concurrent.futures
import json
import socket
import time

import httpx
import pyarrow as pa
import pytest
from servers import running

from factcheck import Verifier
from factcheck.app.serve import verdict_server
from factcheck.data import normalize_claims, open_claims

pytest.importorskip("uvicorn", reason="the extra app is not installed")


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


@pytest.fixture(scope="module")
def url(verifier):
    app = verdict_server(
        verifier.verify_batch, model="tiny", max_rows=8, max_bytes=200_000, hosts=("127.0.0.1", "localhost")
    )
    with running(app) as address:
        yield address


def claim(i: int) -> dict:
    return {"id": f"c{i}", "claim": f"A dog runs {i}", "document": "A dog runs in the park. The water is blue."}


def test_verdicts_are_those_of_verify_batch(url, verifier, photo):
    items = [
        claim(0),
        claim(1) | {name: base64.b64encode(photo(7)).decode() for name in ("claim_image", "document_image")},
    ]
    found = httpx.post(f"{url}/verify", json={"claims": items}).json()["verdicts"]
    rows = [claim(0), claim(1) | {name: photo(7) for name in ("claim_image", "document_image")}]
    expected = [verifier.verify_batch(normalize_claims(pa.Table.from_pylist([row]))).to_pylist()[0] for row in rows]
    assert [row["label"] for row in found] == [row["label"] for row in expected]
    assert [row["id"] for row in found] == ["c0", "c1"]
    for one, other in zip(found, expected, strict=True):
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-5)
        assert one["evidence"][0]["text"] == other["evidence"][0]["text"]
    assert found[1]["image_similarity"] == pytest.approx(1.0, abs=1e-4)
    single = httpx.post(f"{url}/verify", json=claim(0)).json()
    assert single["label"] == found[0]["label"]


def test_clients_at_once_share_batches_and_get_their_own_answers(verifier):
    batches = []

    def verify(table):
        batches.append(table.num_rows)
        time.sleep(0.05)
        return verifier.verify_batch(table)

    with running(verdict_server(verify, batch_size=16)) as url:
        alone = httpx.post(f"{url}/verify", json=claim(3)).json()
        with concurrent.futures.ThreadPoolExecutor(24) as pool, httpx.Client() as client:
            answers = list(pool.map(lambda i: client.post(f"{url}/verify", json=claim(i), timeout=60), range(96)))
        assert {answer.status_code for answer in answers} == {200}
        assert [answer.json()["id"] for answer in answers] == [f"c{i}" for i in range(96)]
        assert answers[3].json()["confidence"] == pytest.approx(alone["confidence"], abs=1e-5)
        assert sum(batches) == 97
        assert max(batches) > 4
        metrics = httpx.get(f"{url}/metrics").text
    assert 'factcheck_requests_total{status="200"} 97.0' in metrics
    assert f"factcheck_batches {len(batches)}.0" in metrics


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"claims": []}, 422, "claims has 0 entries, expected 1 to 8"),
        ({"claims": [claim(0)] * 9}, 422, "claims has 9 entries"),
        ({"claims": [claim(0), 5]}, 422, r"claims[1] is int, expected an object"),
        ({"document": "x"}, 422, "claims[0] has no claim"),
        ({"claim": "x", "colour": 1}, 422, "unknown field 'colour'"),
        ({"claim": ["x"]}, 422, "claims[0].claim is list, expected a string"),
        ({"claim": "x", "document": {"a": 1}}, 422, "claims[0].document is neither a string nor a list of strings"),
        ({"claim": "x", "claim_image": "%%%"}, 422, "claims[0].claim_image is not base64"),
        ({"claim": "x", "id": 1.5}, 422, "claims[0].id is float"),
        ([claim(0)], 422, "the body is list, expected an object"),
    ],
)
def test_mistakes_are_named(url, body, status, said):
    answer = httpx.post(f"{url}/verify", json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


def test_rows_that_cannot_be_verified_are_rows(url):
    odd = [
        {"claim": ""},
        claim(1),
        {"claim": "A dog", "claim_image": base64.b64encode(b"no image").decode()},
        {"claim": "\ud83d"},
    ]
    found = httpx.post(
        f"{url}/verify", content=json.dumps({"claims": odd}), headers={"content-type": "application/json"}
    ).json()
    statuses = [row["status"] for row in found["verdicts"]]
    assert statuses == ["error", "ok", "degraded", "error"]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_single_claim_that_cannot_be_read_is_a_mistake(url, text):
    answer = httpx.post(f"{url}/verify", json={"claim": text})
    assert (answer.status_code, answer.json()) == (422, {"error": "claim: empty"})
    several = httpx.post(f"{url}/verify", json={"claims": [{"claim": text}]})
    assert (several.status_code, several.json()["verdicts"][0]["status"]) == (200, "error")


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("id", "a\ud800", 1),
        ("claim", "half \ud83d pair", 5),
        ("document", "\udfff", 0),
        ("document", ["A dog.", "b\ud800"], 8),
        ("claim_ocr", "a\ud800", 1),
    ],
)
def test_half_of_a_surrogate_pair_is_a_fault_as_in_a_file(url, field, value, place, tmp_path):
    body = {**claim(1), field: value}
    said = f"{field}: half of a surrogate pair at character {place} is not valid Unicode"
    headers = {"content-type": "application/json"}
    alone = httpx.post(f"{url}/verify", content=json.dumps(body), headers=headers)
    assert (alone.status_code, alone.json()) == (422, {"error": said})
    several = httpx.post(f"{url}/verify", content=json.dumps({"claims": [body, claim(2)]}), headers=headers)
    found = [(row["status"], row["reason"]) for row in several.json()["verdicts"]]
    assert found == [("error", said), ("ok", None)]
    (tmp_path / "c.jsonl").write_text(json.dumps({name: body[name] for name in body if "image" not in name}))
    in_a_file = next(open_claims(tmp_path / "c.jsonl", on_error="mark").batches(1)).to_pylist()[0]
    assert (in_a_file["status"], in_a_file["reasons"]) == ("error", [said])


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"content-type": "application/json"}, 400),
        (b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b'{"claim": "\xff"}', {"content-type": "application/json"}, 400),
        (b"claim=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"x" * 300_000, {"content-type": "application/json"}, 413),
        (b"{}", {"content-type": "application/json", "host": "evil.example"}, 421),
    ],
)
def test_hostile_bodies(url, content, headers, status):
    answer = httpx.post(f"{url}/verify", content=content, headers=headers)
    assert answer.status_code == status
    assert "error" in answer.json()
    assert httpx.get(f"{url}/health").json()["status"] == "ok"


def test_a_body_whose_length_is_not_told_is_cut_off_too(url):
    def drip():
        for _ in range(40):
            yield b"x" * 10_000

    answer = httpx.post(f"{url}/verify", content=drip(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_clients_that_leave_and_bytes_that_are_no_http_change_nothing(url):
    host, port = url.removeprefix("http://").split(":")
    for data in (
        b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n{",
        b"\x16\x03\x01\x00",
        b"GET / HT",
    ):
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(data)
    assert httpx.post(f"{url}/verify", json=claim(0)).status_code == 200


def test_too_many_waiting_are_turned_down_and_slow_ones_given_up(verifier):
    def slow(table):
        time.sleep(0.4)
        return verifier.verify_batch(table)

    with running(verdict_server(slow, batch_size=1, most_waiting=2, timeout=0.9)) as url:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            codes = list(
                pool.map(lambda i: httpx.post(f"{url}/verify", json=claim(i), timeout=20).status_code, range(12))
            )
        assert set(codes) <= {200, 503, 504}
        assert codes.count(503) >= 6
        assert 200 in codes


def test_a_fault_of_ours_is_500_and_tells_nothing(caplog):
    def broken(table):
        raise RuntimeError("secret path /etc/x")

    with running(verdict_server(broken)) as url:
        answer = httpx.post(f"{url}/verify", json=claim(0))
        assert (answer.status_code, "secret" in answer.text) == (500, False)
        assert httpx.get(f"{url}/health").status_code == 200
    assert "secret path" in caplog.text


def test_description_and_headers(url):
    described = httpx.get(f"{url}/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert "/verify" in described["paths"]
    page = httpx.get(f"{url}/docs")
    assert "POST /verify" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert httpx.get(f"{url}/nothing").json() == {"error": "Not Found"}
