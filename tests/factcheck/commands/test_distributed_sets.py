"""Well-known sets in the layouts they are distributed in, made small, through the commands: every row comes out, judged on its own text."""

import json
import zipfile

import pyarrow.parquet as pq
import pytest

from factcheck.cli import main
from retrieval import open_index


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a folder of its own; it has to succeed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        assert main([str(argument) for argument in arguments]) == 0

    return run


@pytest.fixture
def verdicts(run, tiny_model):
    """Verifies a table; the verdicts as dictionaries."""

    def verdicts(claims, *options):
        run("verify", claims, "--out", "v.parquet", "--model", tiny_model, "--no-attribution", *options)
        return pq.read_table("v.parquet").to_pylist()

    return verdicts


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def statuses(rows):
    return [row["status"] for row in rows]


LIAR_LABELS = ("true", "mostly-true", "half-true", "barely-true", "false", "pants-fire")


def test_liar(run, verdicts, tmp_path, capsys):
    """TSV of 14 fields without a header; marks are letters, some of them open a statement that nothing closes."""
    rows = []
    for i, label in enumerate(LIAR_LABELS * 4):
        says = ('"The dog runs," he says', 'Says a cat "eats bread.', "The moon is red.", 'A law" is a law')[i % 4]
        rows.append(
            [
                f"{900 + 7 * i}.json",
                label,
                f"{says} {i}",
                "dogs",
                "A Speaker",
                "",
                "Ohio",
                "none",
                *"01234",
                f"A report says dogs run. {i}",
            ]
        )
    (tmp_path / "train.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n", "utf-8")
    reading = ("--header", "none", "--columns", "id=1,label=2,claim=3,document=14")
    labels = "mostly-true=support,half-true=insufficient,barely-true=refute"
    found = verdicts("train.tsv", *reading)
    assert [row["id"] for row in found] == [row[0] for row in rows]
    assert set(statuses(found)) <= {"ok", "degraded"}
    for row, given in zip(found, rows, strict=True):
        assert " ".join(piece["text"] for piece in row["evidence"]) in (given[13], f"{given[13][24:]} {given[13][:23]}")
    run("evaluate", "v.parquet", "--truth", "train.tsv", *reading, "--labels", labels)
    assert "24" in capsys.readouterr().out
    assert main(["evaluate", "v.parquet", "--truth", "train.tsv", *reading]) == 2
    assert "unknown label 'mostly-true'" in capsys.readouterr().err


def test_averitec(run, verdicts, tmp_path, capsys):
    """One JSON array over many lines; four classes, dates with the day first, questions and answers."""
    names = ("Supported", "Refuted", "Not Enough Evidence", "Conflicting Evidence/Cherrypicking")
    rows = [
        {"claim": f"The dog runs in city {i}.", "claim_date": f"{i + 11}-10-2020", "label": name, "speaker": None}
        | {
            "justification": f"A report says a dog runs in city {i}.",
            "questions": [{"question": "Where?", "answers": []}],
        }
        for i, name in enumerate(names * 2)
    ]
    (tmp_path / "dev.json").write_text(json.dumps(rows, indent=4), "utf-8")
    columns = ("--columns", "document=justification,date=claim_date")
    found = verdicts("dev.json", *columns, "--labels", "Conflicting Evidence/Cherrypicking=insufficient")
    assert statuses(found) == ["ok"] * 8
    assert [row["evidence"][0]["text"] for row in found] == [row["justification"] for row in rows]
    unmapped = main(["evaluate", "v.parquet", "--truth", "dev.json", *columns])
    assert unmapped == 2
    assert "'Conflicting Evidence/Cherrypicking'" in capsys.readouterr().err
    mapped = ("--labels", "conflicting evidence/cherrypicking=insufficient")
    run("evaluate", "v.parquet", "--truth", "dev.json", *columns, *mapped)


def test_scifact(run, verdicts, tmp_path, tiny_bert):
    """Abstracts as lists of sentences, which gold rationales count from 0; claims without documents, judged by the index."""
    corpus = [
        {
            "doc_id": 31,
            "title": "Bread",
            "abstract": ["Two men eat bread.", "The water. is blue."],
            "structured": False,
        },
        {
            "doc_id": 7,
            "title": "Moon",
            "abstract": ["The moon is red.", "A rocket was near the moon."],
            "structured": True,
        },
    ]
    claims = [
        {
            "id": 3,
            "claim": "Men eat bread.",
            "evidence": {"31": [{"sentences": [0], "label": "SUPPORT"}]},
            "cited_doc_ids": [31],
        },
        {"id": 5, "claim": "A rocket was near the moon.", "evidence": {}, "cited_doc_ids": [7]},
    ]
    lines(tmp_path / "scifact" / "corpus.jsonl", corpus)
    lines(tmp_path / "claims_dev.jsonl", claims)
    for number, source in enumerate(("scifact", "scifact/corpus.jsonl")):  # the folder and the file are the same
        run("index", "build", source, "--out", f"index{number}", "--encoder", tiny_bert)
        index = open_index(f"index{number}")
        sentences = {(hit.document_id, hit.sentence): hit.text for hit in index.search(["bread moon"], top_k=9)[0]}
        assert sentences == {
            ("31", 0): "Two men eat bread.",
            ("31", 1): "The water. is blue.",
            ("7", 0): "The moon is red.",
            ("7", 1): "A rocket was near the moon.",
        }
    found = verdicts("claims_dev.jsonl", "--evidence", "index0")
    assert [row["id"] for row in found] == ["3", "5"]
    assert statuses(found) == ["ok"] * 2
    assert {piece["document_id"] for row in found for piece in row["evidence"]} <= {"31", "7"}


def test_fever(run, verdicts, tmp_path, tiny_bert, capsys):
    """Pages in shards with a page that is empty and brackets as Penn Treebank writes them; claims with names of labels in capitals."""
    page = {"id": "Red_Moon_-LRB-film-RRB-", "text": "Red Moon is a report -LRB- not news -RRB- ."}
    page["lines"] = "0\tRed Moon is a report -LRB- not news -RRB- .\n1\t"
    pages = [{"id": "", "text": "", "lines": ""}, page]
    lines(tmp_path / "wiki-pages" / "wiki-001.jsonl", pages)
    lines(
        tmp_path / "wiki-pages" / "wiki-002.jsonl",
        [{"id": "Bread", "text": "Men eat bread .", "lines": "0\tMen eat bread ."}],
    )
    claims = [
        {
            "id": 75397 + i,
            "verifiable": "VERIFIABLE",
            "label": label,
            "claim": f"Men eat bread in city {i}.",
            "evidence": [[[1, None, None, None]]],
        }
        for i, label in enumerate(("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"))
    ]
    lines(tmp_path / "train.jsonl", claims)
    run("index", "build", "wiki-pages", "--out", "index", "--encoder", tiny_bert)
    capsys.readouterr()
    run("index", "search", "index", "a report", "--json", "--top-k", "5")
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {hit["document_id"] for hit in hits} == {"Red_Moon_-LRB-film-RRB-", "Bread"}
    assert any("(" in hit["text"] and "-LRB-" not in hit["text"] for hit in hits)
    found = verdicts("train.jsonl", "--evidence", "index")
    assert [row["id"] for row in found] == ["75397", "75398", "75399"]
    assert statuses(found) == ["ok"] * 3
    run("evaluate", "v.parquet", "--truth", "train.jsonl")


def test_headlines_that_begin_with_a_quotation(verdicts, tmp_path):
    rows = [
        f'{i}\t"No water in city {i}," says the minister\tThe minister says city {i} has no water.' for i in range(300)
    ]
    (tmp_path / "q.tsv").write_text("\n".join(["id\tclaim\tdocument", *rows]), "utf-8")
    found = verdicts("q.tsv")
    assert [row["id"] for row in found] == [str(i) for i in range(300)]
    assert set(statuses(found)) == {"ok"}
    assert all(f"city {row['id']} " in row["evidence"][0]["text"] for row in found)


def test_stray_marks_in_a_corpus_join_no_documents(run, tmp_path, tiny_bert, capsys):
    texts = ['"Red bread, he said', "The dog runs.", 'A cat eats the "bread"', "Two men"]
    (tmp_path / "c.tsv").write_text("id\ttext\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(texts)), "utf-8")
    run("index", "build", "c.tsv", "--out", "index", "--encoder", tiny_bert)
    assert "4 documents, 4 sentences" in capsys.readouterr().out


def test_what_surrounds_a_claim_changes_no_verdict(verdicts, tmp_path):
    bare = "The court says the law is the law."
    around = ["{}", "BREAKING: {}", "OSLO (Reuters) - {}", "RT @somebody: {}", "(VIDEO) {}"]
    lines(tmp_path / "c.jsonl", [{"claim": text.format(bare), "document": bare} for text in around])
    found = verdicts("c.jsonl")
    first = found[0]["stance_probabilities"]
    assert all(row["stance_probabilities"] == pytest.approx(first, abs=1e-5) for row in found)


def test_image_cells_as_exports_write_them(verdicts, tmp_path, photo):
    (tmp_path / "a.jpg").write_bytes(photo(1))
    (tmp_path / "no end.jpg").write_bytes(photo(2)[:-2])
    cells = [
        ("None", "nan"),
        ("[]", "N/A"),
        (["gone.jpg", "a.jpg"], None),
        ("no end.jpg", "a.jpg"),
        (["a.jpg"], ["a.jpg"]),
    ]
    rows = [{"claim": "A dog.", "document": "A dog.", "claim_image": a, "document_image": b} for a, b in cells]
    lines(tmp_path / "c.jsonl", rows)
    found = verdicts("c.jsonl")
    assert statuses(found) == ["ok", "ok", "degraded", "ok", "ok"]
    assert all(row["stance"] for row in found)
    assert [row["image_relation"] is not None for row in found] == [False, False, False, True, True]


def test_label_names_are_scored_without_being_named(run, verdicts, tmp_path, capsys):
    names = ["Supported", "REFUTED", "not_enough_info", "CONTRADICTS", "entailment", "neutral", "Not Enough Evidence"]
    lines(tmp_path / "c.jsonl", [{"claim": "A dog.", "document": "A dog.", "label": name} for name in names])
    assert statuses(verdicts("c.jsonl")) == ["ok"] * len(names)
    run("evaluate", "v.parquet", "--truth", "c.jsonl")


def test_the_format_wins_over_the_ending(run, tmp_path, tiny_bert, capsys):
    lines(tmp_path / "corpus.dump", [{"id": "x", "text": "The dog runs."}])
    run("index", "build", "corpus.dump", "--format", "jsonl", "--out", "index", "--encoder", tiny_bert)
    assert "1 documents" in capsys.readouterr().out.replace("1 document,", "1 documents,")


def test_several_corpora_are_one_index(run, tmp_path, tiny_bert, capsys):
    lines(tmp_path / "a.jsonl", [{"id": "a", "text": "The dog runs."}])
    (tmp_path / "b.csv").write_text("id,text\nb,A cat eats.\n", "utf-8")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "n.txt").write_text("The moon is red.", "utf-8")
    run("index", "build", "a.jsonl", "b.csv", "notes", "--out", "index", "--encoder", tiny_bert)
    assert "3 documents, 3 sentences" in capsys.readouterr().out
    assert {hit.document_id for hit in open_index("index").search(["dog"], top_k=9)[0]} >= {"a", "b"}


def test_a_zipped_beir_folder_is_built_from_and_evaluated_with(run, tmp_path, tiny_bert, capsys):
    pytest.importorskip("ir_measures", reason="needs the extra 'eval'")
    corpus = [
        {"_id": "d1", "title": "Dog", "text": "The dog runs."},
        {"_id": "d2", "title": "", "text": "Men eat bread."},
    ]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("set/corpus.jsonl", "".join(json.dumps(row) + "\n" for row in corpus))
        archive.writestr("set/queries.jsonl", json.dumps({"_id": "q", "text": "Men eat bread."}) + "\n")
        archive.writestr("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\td2\t1\n")
    run("index", "build", "set.zip", "--out", "index", "--encoder", tiny_bert)
    run("index", "evaluate", "index", "set.zip", "--measures", "R@1", "--method", "bm25", "--out", "f.json")
    assert json.loads((tmp_path / "f.json").read_text())["methods"]["bm25"]["R@1"] == 1
