"""Cases as a page shows them: texts in pieces with their marks, images small and each once."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from factcheck.evaluation.report.cases import case_of, pieces
from factcheck.evaluation.report.images import ImageStore, image_note


def evidence(text, document, place=0, **changes):
    start = document.index(text)
    found = {"document_id": "a", "sentence": place, "start": start, "end": start + len(text), "text": text}
    return {**found, "score": 0.5, "attribution": 0.1} | changes


def verdict(**changes):
    return {
        "id": "a",
        "label": "Refute",
        "stance": "refute",
        "abstained": False,
        "status": "ok",
        "evidence": [],
    } | changes


def whole(cut):
    return "".join(piece[0] for piece in cut)


def test_pieces_make_the_whole_text_and_carry_every_mark():
    cut = pieces("0123456789", [(2, 6, "e", 0), (4, 8, "d", 1), (3, 3, "d", 2), (9, 99, "d", 3)])
    assert cut == [["01"], ["23", {"e": 0}], ["45", {"e": 0, "d": 1}], ["67", {"d": 1}], ["89"]]
    assert pieces("", []) == []


def test_evidence_is_marked_in_a_document_with_characters_beyond_the_first_plane():
    """A browser counts an emoji twice; cut in Python, the marks stay where they belong."""
    document = "Ein Hund 🐕🐕 läuft. Er ist rot 🟥."
    case = case_of(
        verdict(evidence=[evidence("Er ist rot 🟥.", document, 1)]), {"claim": "Er ist blau.", "document": document}
    )
    assert whole(case["document"]) == document
    assert [text for text, *marks in case["document"] if marks and marks[0].get("e") == 0] == ["Er ist rot 🟥."]
    assert case["evidence"][0]["own"]


def test_differences_are_marked_on_both_sides_and_in_the_document():
    document = "Two dogs ran. It was in 1998."
    found = {"kind": "date", "relation": "conflicting", "claim_start": 11, "claim_end": 15, "claim_value": "1999"}
    found |= {"sentence": 1, "start": 10, "end": 14, "value": "1998"}
    for place in (1, 0):  # the sentence in the document, or the place in the list of evidence
        row = verdict(evidence=[evidence("It was in 1998.", document, 1)], differences=[{**found, "sentence": place}])
        case = case_of(row, {"claim": "It ran   in 1999", "document": document})
        assert ["1999", {"d": 0}] in case["claim"] or ["in 1", {"d": 0}] not in case["claim"]
        assert ["1998", {"d": 0}] in case["evidence"][0]["text"]
        assert ["1998", {"d": 0, "e": 0}] in case["document"]


def test_a_table_without_differences_or_claims_still_makes_a_case():
    case = case_of(verdict(evidence=[evidence("x", "x")], differences=None, confidence=float("nan")), None)
    assert case["claim"] is None
    assert case["confidence"] is None
    assert not case["evidence"][0]["own"]
    json.dumps(case, allow_nan=False)


def test_of_a_long_document_the_start_and_what_surrounds_the_evidence_is_kept():
    document = "start " + "x" * 50_000 + " The evidence. " + "y" * 50_000
    case = case_of(verdict(evidence=[evidence("The evidence.", document)]), {"claim": "c", "document": document})
    kept = whole(case["document"])
    assert len(kept) < 10_000
    assert kept.startswith("start ")
    assert ["The evidence.", {"e": 0}] in case["document"]
    left_out = sum(marks[0]["gap"] for _, *marks in case["document"] if marks and "gap" in marks[0])
    assert left_out + len(kept) == len(document)


def picture(seed, size=900):
    sink = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), np.uint8)
    image = Image.fromarray(noise).resize((size, size // 2))
    image.save(sink, "JPEG", exif=b"Exif\0\0secret place")
    return sink.getvalue()


def test_images_are_small_copies_each_once_within_the_budget():
    store = ImageStore(most=2)
    one, two = picture(0), picture(1)
    assert [store.add(store.shrink(data)) for data in (one, two, one)] == ["image-0", "image-1", "image-0"]
    assert store.add(store.shrink(picture(2))) == {"note": "left out to keep this page small"}
    assert store.turned_down == 1
    assert all(uri.startswith("data:image/webp;base64,") and len(uri) < 40_000 for uri in store.images.values())
    import base64

    copy = base64.b64decode(store.images["image-0"].partition(",")[2])
    assert max(Image.open(io.BytesIO(copy)).size) == 360
    assert b"secret" not in copy


def test_a_damaged_image_and_a_full_page_are_told_apart():
    store = ImageStore(most=5, budget=10)
    assert "note" in store.add(store.shrink(b"not an image"))
    assert store.turned_down == 0
    assert store.add(store.shrink(picture(0))) == {"note": "left out to keep this page small"}


@pytest.mark.parametrize(
    ("reasons", "given", "note"),
    [
        (["claim_image: missing file"], True, "the file is not there"),
        (["claim_image: image not fetched: http://x/y.jpg"], True, "the image was never fetched from its address"),
        (["claim_image: truncated image"], True, "truncated image"),
        (["document_image: missing file"], False, "no image"),
    ],
)
def test_why_an_image_is_not_there(reasons, given, note):
    assert image_note("claim", reasons, given) == note
