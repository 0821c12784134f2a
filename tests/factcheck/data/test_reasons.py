"""Reasons taken apart and counted by kind."""

import pytest

from factcheck.data import normalize_claims
from factcheck.data.reasons import check_labels, reason_kind, split_reasons
from factcheck.errors import InputError


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        (None, []),
        ("claim: empty", ["claim: empty"]),
        (
            "claim_image: missing file; document_image: not an image",
            ["claim_image: missing file", "document_image: not an image"],
        ),
        (
            "line 3: a quoted field goes on after its closing quote; double the quotes inside it; evidence: nothing found",
            [
                "line 3: a quoted field goes on after its closing quote; double the quotes inside it",
                "evidence: nothing found",
            ],
        ),
        ("label: unknown label 'a; b'; expected one of x", ["label: unknown label 'a; b'; expected one of x"]),
    ],
)
def test_messages_are_not_split_inside(reason, parts):
    assert split_reasons(reason) == parts


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("line 12: split into 1, where the header has 2 columns", "split into 1, where the header has 2 columns"),
        ("line 3: not JSON (Expecting value at character 4)", "not JSON"),
        ("claim_image: image not fetched: URL", "claim_image: image not fetched"),
        (
            "id: expected text or a whole number, found a list ([1])",
            "id: expected text or a whole number, found a list",
        ),
        ("document: missing", "document: missing"),
    ],
)
def test_kinds(reason, kind):
    assert reason_kind(reason) == kind


def test_scoring_refuses_labels_that_are_none():
    import pyarrow as pa

    table = normalize_claims(pa.table({"id": ["x", "y"], "claim": ["a", "b"], "label": ["refute", "maybe"]}))
    with pytest.raises(
        InputError, match=r"truth\.csv, row 6 \(id 'y'\), label: unknown label 'maybe'; expected one of"
    ):
        check_labels(table, "truth.csv", first=5)
    check_labels(table.slice(0, 1), "truth.csv", first=5)
