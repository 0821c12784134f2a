"""Codes of tokens: what carries them, where they stand, and that no text breaks them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factcheck.differences import TokenRelation, token_relations

PIECES = st.sampled_from(
    [
        "12",
        "1,500",
        "3.5",
        "$",
        "€2bn",
        "two",
        "million",
        "a",
        "dozen",
        "km",
        "%",
        "percent",
        "May",
        "2015",
        "1990s",
        "more than",
        "not",
        "almost",
        "Anna",
        "Paul",
        "beat",
        "by",
        "was",
        "rose",
        "fell",
        "-",
        "–",
        "(",
        ")",
        "|",
        ".",
        "½",
        "º",
        "３",
        "٠",
        "'",
        "n't",
        "\n",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=80), st.lists(PIECES, max_size=25).map(" ".join), st.lists(PIECES, max_size=25).map("".join)
)


def codes(text, spans):
    return [(text[start:end], code) for start, end, code in spans]


@pytest.mark.parametrize(
    ("claim", "evidence", "mine", "theirs", "code"),
    [
        (
            "The dam holds 3 million litres.",
            "The dam holds 3,000,000 litres.",
            "3 million litres",
            "3,000,000 litres",
            "VALUE_EQUAL",
        ),
        ("Over 40 schools closed.", "Some said 46 schools closed.", "Over 40", "46", "VALUE_COMPATIBLE"),
        (
            "The dam cost 3 million pounds.",
            "The dam cost 4 million pounds.",
            "3 million pounds",
            "4 million pounds",
            "VALUE_CONFLICTING",
        ),
        ("Leeds has 9 parks.", "A shop in Kent sold 14 bikes.", "9", "14", "VALUE_OTHER"),
        ("Ruth sued Kim.", "Ruth was sued by Kim.", "Ruth sued Kim", "Ruth was sued by Kim", "ROLE_SWAPPED"),
        ("Ruth sued Kim.", "Kim was sued by Ruth.", "Ruth sued Kim", "Kim was sued by Ruth", "ROLE_SAME"),
        ("Rents rose in Leeds.", "Rents fell in Leeds.", "rose", "fell", "OPPOSITE"),
        ("The court freed Kim Lee.", "The court has not freed Kim Lee.", "freed", "has not freed", "NEGATED"),
        ("The mayor closed the port.", "The mayor plans to close the port.", "closed", "plans to close", "HEDGED"),
    ],
)
def test_codes_of_both_sides(claim, evidence, mine, theirs, code):
    first, second = token_relations(claim, evidence)
    assert (mine, TokenRelation[code]) in codes(claim, first)
    assert (theirs, TokenRelation[code]) in codes(evidence, second)


def test_values_behind_a_bar_and_in_later_sentences_stand_where_they_are():
    claim, evidence = "The dam is 30 m high. | OPENED 1950", "It rains here. The dam is 40 m high. | since 1950"
    first, second = token_relations(claim, evidence)
    assert ("30 m", TokenRelation.VALUE_CONFLICTING) in codes(claim, first)
    assert ("40 m", TokenRelation.VALUE_CONFLICTING) in codes(evidence, second)
    assert "1950" in [text for text, _ in codes(claim, first)]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_spans_lie_in_the_text_in_order_without_overlap(claim, evidence):
    for text, spans in zip((claim, evidence), token_relations(claim, evidence), strict=True):
        end = 0
        for start, stop, code in spans:
            assert end <= start < stop <= len(text)
            assert code >= TokenRelation.VALUE_EQUAL
            end = stop
