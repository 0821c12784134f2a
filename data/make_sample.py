"""Builds data/sample from data/source: tables, gold files, corpus, and the altered photos. Seeded, so repeatable.

Needs PyYAML, Pillow and (for the photos) scikit-image, whose wheel holds the originals.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
from pathlib import Path

import yaml
from sample_photos import DRAWN_TEXT, alter, encode_jpeg, load_original

HERE = Path(__file__).parent
SEED = 26
HEADER = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
CLASSES = ["Support_Multimodal", "Support_Text", "Insufficient_Multimodal", "Insufficient_Text", "Refute"]
OVERLAYS = [
    "EXCLUSIVE", "Photo: a reader", "seen today", "BREAKING", "shared by a friend", "LIVE", "Look at this!",
    "local news", "please share", "JUST IN",
]  # fmt: skip
OVERLAYS_PER_CLASS = 4
#: Class -> sides whose photo is left out, in one row each: "both", then one side.
WITHOUT_PHOTO = {
    "Support_Multimodal": ("both", "claim"),
    "Support_Text": ("both", "document"),
    "Insufficient_Multimodal": ("both", "document"),
    "Insufficient_Text": ("both", "claim"),
    "Refute": ("both", "claim"),
}


def join_sentences(sentences: list[str]) -> str:
    """The article's text: sentences joined by a space, or glued where one ends with ``~`` (see articles.yaml)."""
    text = " ".join(sentences)
    return text.replace("~ ", "")


def plain(sentence: str) -> str:
    """A sentence as it stands in the article."""
    return sentence.removesuffix("~")


def plan_rows(articles: list[dict], broken: list[list[str]], rng: random.Random) -> list[dict]:
    """One dict a row: text, class, both photos, overlay, whether it is altered; in the order of the file."""
    rows = [
        {"article": article, "category": category, "evidence": evidence, "claim": claim, "broken": None}
        for article in articles
        for category, evidence, claim in article["claims"]
    ]
    for article, others in _other_photos(articles, rng).items():
        for row in rows:
            if row["article"]["id"] == article:
                row["same_photo"], row["claim_photo"], row["document_photo"] = others[row["category"]]
    for category in CLASSES:
        of_class = [row for row in rows if row["category"] == category]
        for row, text in zip(of_class, _overlays(len(of_class), rng), strict=True):
            row["overlay"] = text
        bare = rng.sample([row for row in of_class if not row["overlay"]], len(of_class) - OVERLAYS_PER_CLASS)
        bare.sort(key=lambda row: row["same_photo"])  # the first and the last: one of each kind where a class has both
        for row, side in zip((bare[0], bare[-1]), WITHOUT_PHOTO[category], strict=True):
            for gone in ("claim", "document") if side == "both" else (side,):
                row[f"{gone}_photo"] = None
    by_id = {article["id"]: article for article in articles}
    for article_id, category, kind, claim in broken:
        article = by_id[article_id]
        same = not category.endswith("_Text")
        photos = [other["photo"] for other in articles if (other is article) == same and other["split"] == "train"]
        rows.append(
            {
                "article": article, "category": category, "evidence": None, "claim": claim, "broken": kind,
                "same_photo": same, "claim_photo": rng.choice(photos), "document_photo": article["photo"],
                "overlay": None,
            }
        )  # fmt: skip
    rng.shuffle(rows)
    return rows


def _overlays(count: int, rng: random.Random) -> list[str | None]:
    texts: list[str | None] = [*rng.sample(OVERLAYS, OVERLAYS_PER_CLASS)] + [None] * (count - OVERLAYS_PER_CLASS)
    rng.shuffle(texts)
    return texts


def _other_photos(articles: list[dict], rng: random.Random) -> dict[str, dict[str, tuple[bool, str, str]]]:
    """Article -> class -> (same photo, claim's photo, document's photo).

    Where the photos differ, the foreign one comes from another article of the same split, through a rotation that uses
    every photo equally often, and stands on the claim's side in one half of the rows, on the document's in the other.
    """
    plan: dict[str, dict[str, tuple[bool, str, str]]] = {}
    refutes = 0
    for split in ("train", "val"):
        group = [article for article in articles if article["split"] == split]
        rng.shuffle(group)
        for place, article in enumerate(group):
            own = article["photo"]
            plan[article["id"]] = {}
            for turn, category in enumerate(["Support_Text", "Insufficient_Text", "Refute"]):
                step = 1 + turn % (len(group) - 1)
                foreign = group[(place + step) % len(group)]["photo"]
                pair = (foreign, own) if (place + turn) % 2 else (own, foreign)
                plan[article["id"]][category] = (False, *pair)
            if (refutes := refutes + 1) % 2:
                plan[article["id"]]["Refute"] = (True, own, own)
            for category in ("Support_Multimodal", "Insufficient_Multimodal"):
                plan[article["id"]][category] = (True, own, own)
    return plan


def image_name(key: str) -> str:
    """A name that says nothing: a hash of seed and key, not of the content."""
    return f"images/{hashlib.sha256(f'{SEED}/{key}'.encode()).hexdigest()[:10]}.jpg"


def to_record(index: int, row: dict) -> list[str]:
    """The row as Factify 2 writes it."""
    claim_photo, document_photo = row["claim_photo"], row["document_photo"]
    claim_ocr = [DRAWN_TEXT.get(claim_photo, ""), row["overlay"] or ""]
    return [
        str(index),
        row["claim"],
        image_name(f"claim/{index}") if claim_photo else "",
        join_sentences(row["article"]["sentences"]),
        image_name(f"document/{document_photo}") if document_photo else "",
        row["category"],
        "\n".join(filter(None, claim_ocr)),
        DRAWN_TEXT.get(document_photo, ""),
    ]


def to_gold(index: int, row: dict) -> dict:
    """What is known of the row beyond the file: for measuring only, never a model input."""
    sentences = row["article"]["sentences"]
    return {
        "id": str(index),
        "article": row["article"]["id"],
        "split": row["article"]["split"] if row["broken"] is None else None,
        "evidence_sentence": row["evidence"],
        "evidence": None if row["evidence"] is None else plain(sentences[row["evidence"]]),
        "same_photo": row["same_photo"] if row["claim_photo"] and row["document_photo"] else None,
        "broken": row["broken"],
    }


def write_table(path: Path, records: list[list[str]]) -> None:
    """Writes ``records`` tab-separated, quoting as Factify 2 does."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([HEADER, *records])


def write_jsonl(path: Path, items: list[dict]) -> None:
    """Writes one JSON object a line."""
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def write_photos(rows: list[dict], out: Path) -> None:
    """Renders every photo that the table names, except the one whose file is to be missing."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    for old in (out / "images").glob("*.jpg"):
        old.unlink()
    used = {row["document_photo"] for row in rows} - {None}
    for photo in sorted(used):
        (out / image_name(f"document/{photo}")).write_bytes(encode_jpeg(load_original(photo), 85))
    for index, row in enumerate(rows):
        photo = row["claim_photo"]
        if photo is None or row["broken"] == "missing file":
            continue
        rng = random.Random(f"{SEED}/{index}")
        copy = alter(load_original(photo), rng, overlay=row["overlay"], keep_text=photo in DRAWN_TEXT)
        data = encode_jpeg(copy, rng.randint(80, 88))
        if row["broken"] == "truncated file":
            data = data[: len(data) // 3]
        (out / image_name(f"claim/{index}")).write_bytes(data)


def main() -> None:
    """Builds the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "sample", help="folder to write (default: %(default)s)")
    parser.add_argument("--no-photos", action="store_true", help="write the tables only")
    args = parser.parse_args()

    articles = yaml.safe_load((HERE / "source" / "articles.yaml").read_text(encoding="utf-8"))
    extra = yaml.safe_load((HERE / "source" / "open.yaml").read_text(encoding="utf-8"))
    rows = plan_rows(articles, extra["broken"], random.Random(SEED))

    args.out.mkdir(parents=True, exist_ok=True)
    records = [to_record(index, row) for index, row in enumerate(rows)]
    write_table(args.out / "claims.csv", records)
    for split in ("train", "val"):
        chosen = [
            record
            for record, row in zip(records, rows, strict=True)
            if row["broken"] is None and row["article"]["split"] == split
        ]
        write_table(args.out / f"{split}.csv", chosen)
    write_jsonl(args.out / "claims.gold.jsonl", [to_gold(index, row) for index, row in enumerate(rows)])
    write_jsonl(
        args.out / "corpus.jsonl",
        [
            {
                "id": article["id"],
                "title": article["title"],
                "text": join_sentences(article["sentences"]),
                "date": str(article["date"]),
                "source": article["source"],
                "image": image_name(f"document/{article['photo']}") if "photo" in article else None,
            }
            for article in [*articles, *extra["articles"]]
        ],
    )
    write_jsonl(
        args.out / "claims_open.jsonl",
        [
            {"id": id_, "claim": claim, "date": str(date), "label": label, "gold_document": document}
            for id_, label, date, document, claim in extra["claims"]
        ],
    )
    if not args.no_photos:
        write_photos(rows, args.out)


if __name__ == "__main__":
    main()
