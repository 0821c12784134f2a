"""Made pairs: what is written otherwise stays the same, and the stance is the one that docs/stance.md gives."""

import re
from collections import Counter

import numpy as np
import pytest

from factcheck.differences import Relation, compare, find_values
from factcheck.labels import Stance
from factcheck.training.facts import KINDS, furnish, make_fact
from factcheck.training.facts.numerals import spell, written
from factcheck.training.facts.quantities import make_double, make_quantity
from factcheck.training.facts.restate import bound, restate
from factcheck.training.facts.roles import make_role


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (19, "nineteen"),
        (42, "forty-two"),
        (105, "one hundred and five"),
        (3_000, "three thousand"),
        (12_034, "twelve thousand and thirty-four"),
    ],
)
def test_numbers_are_spelled(number, words):
    assert spell(number) == words


@pytest.mark.parametrize("value", [7, 48, 350, 1_200, 25_000, 500_000, 1_500_000, 14_200_000, 2_000_000_000])
def test_every_way_to_write_a_number_is_read_as_that_number(value):
    ways = {written(value, np.random.default_rng(seed)) for seed in range(60)}
    assert len(ways) > 1
    for way in ways:
        if "and a half" in way:  # which the reader of values does not know
            continue
        assert [found.low for found in find_values(f"They sold {way} books.")][:1] == [value], way


def test_quantities_that_are_the_same_do_not_conflict_and_altered_ones_do():
    conflicts = {stance: [] for stance in Stance}
    for seed in range(600):
        claim, evidence, stance = make_quantity(np.random.default_rng(seed))
        found = {difference.relation for difference in compare(claim, [evidence])}
        conflicts[stance].append(Relation.CONFLICTING in found)
    assert np.mean(conflicts[Stance.SUPPORT]) < 0.03
    assert np.mean(conflicts[Stance.REFUTE]) > 0.8


def test_the_other_number_of_the_sentence_refutes():
    for seed in range(200):
        claim, evidence, stance = make_double(np.random.default_rng(seed))
        assert stance is not Stance.INSUFFICIENT
        numbers = re.findall(r"\d[\d.,]*\d|\d", claim)
        if stance is Stance.SUPPORT and numbers:
            assert any(number in evidence for number in numbers), (claim, evidence)


def test_a_swap_refutes_and_a_third_name_leaves_open():
    seen = Counter()
    for seed in range(400):
        claim, evidence, stance = make_role(np.random.default_rng(seed))
        if " was " in claim + evidence or " is " in claim + evidence:
            continue
        words, others = claim.rstrip(".").split(), evidence.rstrip(".").split()
        if stance is Stance.REFUTE and sorted(words) == sorted(others):
            assert words != others
            seen["swapped"] += 1
        if stance is Stance.INSUFFICIENT:
            assert set(words) - set(others)
            seen["third"] += 1
    assert seen["swapped"] > 10
    assert seen["third"] > 10


def test_furniture_leaves_the_claim_as_it_is():
    claim = "Velmora closed its port."
    made = {furnish(claim, np.random.default_rng(seed)) for seed in range(300)}
    assert len(made) > 150
    assert claim not in made
    for text in made:
        assert "elmora closed its port" in text


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("It cost $5 million.", {"It cost $5m.", "It cost 5 million dollars."}),
        ("Some 1,500 people came.", {"Some 1500 people came."}),
        ("Sales rose by 5% there.", {"Sales rose by 5 percent there.", "Sales rose by 5 per cent there."}),
        ("They have three cats.", {"They have 3 cats."}),
        ("It runs for 12 km.", {"It runs for 12 kilometres.", "It runs for twelve km."}),
        ("He was born in 1999.", {None}),
        ("On 4 May 2019 it rained.", {None}),
    ],
)
def test_a_number_is_restated(text, ways):
    assert {restate(text, np.random.default_rng(seed)) for seed in range(60)} == ways


def test_bounds_that_a_number_keeps_and_breaks():
    made = {bound("In all 527 homes lost power.", np.random.default_rng(seed)) for seed in range(80)}
    kept = {text for text, keeps in made if keeps}
    broken = {text for text, keeps in made if not keeps}
    assert "In all more than 500 homes lost power." in kept
    assert "In all fewer than 600 homes lost power." in kept
    assert "In all more than 600 homes lost power." in broken
    assert "In all fewer than 500 homes lost power." in broken
    assert bound("It happened in 1999 at number 42.", np.random.default_rng(0)) is None


def test_every_kind_is_made_and_the_same_seed_makes_the_same():
    made = [make_fact(np.random.default_rng(seed)) for seed in range(500)]
    assert {kind for kind, *_ in made} == set(KINDS)
    assert {stance for *_, stance in made} == set(Stance)
    assert made == [make_fact(np.random.default_rng(seed)) for seed in range(500)]
    assert all(claim.strip() and all(sentence.strip() for sentence in evidence) for _, claim, evidence, _ in made)
    assert not any("{" in claim + "".join(evidence) for _, claim, evidence, _ in made)
