"""The bundled sample: its format, its balance, and that nothing but the content tells the classes apart."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binom
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from factcheck.labels import FACTIFY_LABELS

DATA = Path(__file__).parents[3] / "data"
SAMPLE = DATA / "sample"
COLUMNS = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
CLASSES = [label.value for label in FACTIFY_LABELS]


def read_table(name):
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == COLUMNS
    return [dict(zip(["id", *COLUMNS[1:]], row, strict=True)) for row in rows]


def read_jsonl(name):
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def gold():
    return {item["id"]: item for item in read_jsonl("claims.gold.jsonl")}


@pytest.fixture(scope="module")
def rows():
    return read_table("claims.csv")


@pytest.fixture(scope="module")
def sound(rows, gold):
    return [row for row in rows if gold[row["id"]]["broken"] is None]


def size_on_disk(path):
    return (SAMPLE / path).stat().st_size if path else 0


def pixels(path):
    if not path:
        return (0, 0)
    with Image.open(SAMPLE / path) as image:
        return image.size


# --- format and content -------------------------------------------------------------------------------------------


def test_sizes_and_balance(rows, sound, gold):
    assert [row["id"] for row in rows] == [str(place) for place in range(58)]
    assert Counter(row["Category"] for row in sound) == dict.fromkeys(CLASSES, 11)
    refutes = [gold[row["id"]]["same_photo"] for row in sound if row["Category"] == "Refute"]
    assert {refutes.count(True), refutes.count(False)} <= {4, 5}  # two of the eleven have no pair of photos
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 2 * 2**20


def test_train_and_val_share_neither_article_nor_photo_nor_claim(sound):
    train, val = read_table("train.csv"), read_table("val.csv")
    assert (len(train), len(val)) == (40, 15)
    assert sorted(map(str, train + val)) == sorted(map(str, sound))
    for column in ("claim", "document", "claim_image", "document_image"):
        assert not {row[column] for row in train} & {row[column] for row in val} - {""}, column
    for part in (train, val):
        assert len(set(Counter(row["Category"] for row in part).values())) == 1


def test_broken_rows_are_broken_as_stated(rows, gold):
    broken = {gold[row["id"]]["broken"]: row for row in rows if gold[row["id"]]["broken"]}
    assert set(broken) == {"missing file", "truncated file", "empty claim"}
    assert not (SAMPLE / broken["missing file"]["claim_image"]).exists()
    with (
        pytest.raises(OSError, match="truncated"),
        Image.open(io.BytesIO((SAMPLE / broken["truncated file"]["claim_image"]).read_bytes())) as image,
    ):
        image.load()
    assert broken["empty claim"]["claim"] == ""


def test_photos_are_small_and_all_are_used(rows, gold):
    named = {row[side] for row in rows for side in ("claim_image", "document_image")} - {""}
    missing = {row["claim_image"] for row in rows if gold[row["id"]]["broken"] == "missing file"}
    assert {f"images/{path.name}" for path in (SAMPLE / "images").iterdir()} == named - missing
    truncated = {row["claim_image"] for row in rows if gold[row["id"]]["broken"] == "truncated file"}
    for path in named - missing - truncated:
        with Image.open(SAMPLE / path) as image:
            image.load()
            assert image.format == "JPEG"
            assert max(image.size) <= 256
            assert min(image.size) >= 48


def test_gold_evidence_is_a_sentence_of_the_document(rows, gold):
    from retrieval import split_sentences

    for row in rows:
        truth = gold[row["id"]]
        if truth["broken"] is None:
            assert split_sentences(row["document"])[truth["evidence_sentence"]].text == truth["evidence"]


def test_gold_agrees_with_the_label(sound, gold):
    for row in sound:
        same = gold[row["id"]]["same_photo"]
        if not (row["claim_image"] and row["document_image"]):
            assert same is None
        elif row["Category"] != "Refute":
            assert same == row["Category"].endswith("Multimodal")


def test_claims_of_the_class_with_equal_photos_show_the_document_s_photo(sound, gold):
    """Grey thumbnails of altered copies resemble their original more than another photo, mirrored ones included."""

    def thumbnail(path):
        with Image.open(SAMPLE / path) as image:
            grey = np.asarray(image.convert("L").resize((16, 16)), dtype=float)
        return (grey - grey.mean()) / (grey.std() + 1e-6)

    scores = defaultdict(list)
    for row in sound:
        if (same := gold[row["id"]]["same_photo"]) is not None:
            claim, document = thumbnail(row["claim_image"]), thumbnail(row["document_image"])
            scores[same].append(max((claim * document).mean(), (claim[:, ::-1] * document).mean()))
    assert np.mean(scores[True]) > np.mean(scores[False]) + 0.3


def test_open_corpus_and_claims():
    corpus, claims = read_jsonl("corpus.jsonl"), read_jsonl("claims_open.jsonl")
    ids = {article["id"] for article in corpus}
    assert len(ids) == len(corpus) == 16
    assert all((SAMPLE / article["image"]).exists() for article in corpus if article["image"])
    assert {row["document"] for row in read_table("claims.csv")} <= {article["text"] for article in corpus}
    dates = {article["id"]: article["date"] for article in corpus}
    assert len(claims) == 12
    assert Counter(claim["label"] for claim in claims) == {"support": 4, "refute": 4, "insufficient": 4}
    assert all(dates[claim["gold_document"]] <= claim["date"] for claim in claims)


def test_texts_hold_the_hard_cases(rows):
    documents = "\n".join({row["document"] for row in rows})
    for case in ("dock.Two years", "&amp;", "https://t.co/", ",”", "Linie 4 fährt"):
        assert case in documents
    assert any("\n" in row["document"] for row in rows)


def test_tables_are_what_the_script_builds(tmp_path):
    pytest.importorskip("yaml")
    script = [sys.executable, str(DATA / "make_sample.py"), "--no-photos", "--out", str(tmp_path)]
    subprocess.run(script, check=True, timeout=60)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (SAMPLE / path.name).read_bytes(), path.name
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in SAMPLE.iterdir()} - {
        "images",
        "README.md",
    }


# --- what must not tell the classes -------------------------------------------------------------------------------

SURFACES = {
    "row position": lambda row: [int(row["id"])],
    "row position, periods": lambda row: [int(row["id"]) % period for period in (2, 3, 5, 10)],
    "claim image name": lambda row: (
        [int(digit, 16) for digit in Path(row["claim_image"]).stem] if row["claim_image"] else [0] * 10
    ),
    "claim length": lambda row: [len(row["claim"]), len(row["claim"].split())],
    "document length": lambda row: [len(row["document"])],
    "text read off the photos": lambda row: [len(row["Claim OCR"]), len(row["Document OCR"])],
    "whether there is text on the photos": lambda row: [bool(row["Claim OCR"]), bool(row["Document OCR"])],
    "whether there are photos": lambda row: [bool(row["claim_image"]), bool(row["document_image"])],
    "claim photo file size": lambda row: [size_on_disk(row["claim_image"])],
    "document photo file size": lambda row: [size_on_disk(row["document_image"])],
    "claim photo dimensions": lambda row: pixels(row["claim_image"]),
    "negation in the claim": lambda row: [len({"not", "without", "cannot", "no"} & set(row["claim"].lower().split()))],
}
TARGETS = {
    "class": (lambda row: row["Category"], lambda row: True),
    "stance": (lambda row: row["Category"].split("_")[0], lambda row: True),
    "photos": (lambda row: row["Category"].split("_")[-1], lambda row: row["Category"] != "Refute"),
}


def chance_bound(targets, level=0.99):
    """Hits that guessing reaches with probability below 1 - level: of the commonest class, or of one's share."""
    return binom.ppf(level, len(targets), max(Counter(targets).values()) / len(targets))


def most_hits(features, targets, groups):
    """The better of a linear and a tree probe, cross-validated over articles."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    probes = [LogisticRegression(max_iter=2000), DecisionTreeClassifier(max_depth=3, random_state=0)]
    return max(
        np.sum(
            cross_val_predict(make_pipeline(StandardScaler(), probe), features, targets, groups=groups, cv=folds)
            == targets
        )
        for probe in probes
    )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("surface", SURFACES)
def test_surface_does_not_tell(surface, target, sound, gold):
    name, belongs = TARGETS[target]
    chosen = [row for row in sound if belongs(row)]
    features = np.array([SURFACES[surface](row) for row in chosen], dtype=float)
    targets = np.array([name(row) for row in chosen])
    hits = most_hits(features, targets, [gold[row["id"]]["article"] for row in chosen])
    assert hits <= chance_bound(targets)


@pytest.mark.parametrize("target", TARGETS)
def test_words_of_the_claim_alone_do_not_tell(target, sound, gold):
    name, belongs = TARGETS[target]
    chosen = [row for row in sound if belongs(row)]
    words = CountVectorizer(ngram_range=(1, 2)).fit_transform(row["claim"] for row in chosen).toarray()
    targets = np.array([name(row) for row in chosen])
    hits = most_hits(words, targets, [gold[row["id"]]["article"] for row in chosen])
    assert hits <= chance_bound(targets)


def test_probe_finds_a_planted_leak(sound, gold):
    """The probes above would notice: sorted rows, and a word that goes with one class."""
    ordered = sorted(sound, key=lambda row: row["Category"])
    targets = np.array([row["Category"] for row in ordered])
    groups = [gold[row["id"]]["article"] for row in ordered]
    assert most_hits(np.arange(len(ordered))[:, None], targets, groups) > chance_bound(targets)
    planted = [row["claim"] + (" hoax" if row["Category"] == "Refute" else " today") for row in ordered]
    stances = np.array([row["Category"].split("_")[0] for row in ordered])
    words = CountVectorizer().fit_transform(planted).toarray()
    assert most_hits(words, stances, groups) > chance_bound(stances)
