"""Reasons joined into the verdict table's column and counted by kind."""

import pytest

from factcheck.verification.verdict_table import join_reasons, reason_kinds


@pytest.mark.parametrize(
    ("reasons", "joined"),
    [
        ([], None),
        (["claim: empty"], "claim: empty"),
        (["claim_image: missing file", "document: missing"], "claim_image: missing file; document: missing"),
        (["label: unknown label 'a; b'; expected x", "date: y"], "label: unknown label 'a, b', expected x; date: y"),
    ],
)
def test_no_single_reason_holds_what_joins_them(reasons, joined):
    assert join_reasons(reasons) == joined
    assert len((joined or "").split("; ")) == max(len(reasons), 1)


@pytest.mark.parametrize(
    ("reason", "kinds"),
    [
        (None, []),
        ("line 12: split into 1, where the header has 2 columns", ["split into 1, where the header has 2 columns"]),
        (
            "line 3: not JSON (Expecting value at character 4); evidence: nothing found",
            ["not JSON", "evidence: nothing found"],
        ),
        (
            "claim_image: image not fetched: URL; document: missing",
            ["claim_image: image not fetched", "document: missing"],
        ),
        (
            "id: expected text or a whole number, found a list ([1])",
            ["id: expected text or a whole number, found a list"],
        ),
        ("line 7: not UTF-8: byte 0xe9 at offset 15 of the file", ["not UTF-8"]),
    ],
)
def test_kinds(reason, kinds):
    assert reason_kinds(reason) == kinds
