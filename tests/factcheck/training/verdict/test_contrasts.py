"""Claims made of evidence: what is altered, what stays, and which stance goes with it."""

import numpy as np
import pytest

from factcheck.labels import Stance
from factcheck.training.verdict.contrasts import alter, make_contrast, other_subject

EVIDENCE = (
    "On 3 June the mayor of Velmora, Renata Oduya, opened the northern bridge.",
    "It is 240 metres long, cost 1,250,000 euros and was built by 35 workers of Harbour Steel in 2019.",
    "Before the work began, ferries had crossed the river every twenty minutes since 1974.",
)


def results(function, draws=300):
    return {function(np.random.default_rng(seed)) for seed in range(draws)}


def difference(old, new):
    """The words of both that are not at their common beginning or end."""
    a, b = old.split(), new.split()
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return a[start : len(a) - end], b[start : len(b) - end]


@pytest.mark.parametrize(
    ("claim", "details"),
    [
        ("The bridge is 240 metres long.", {"240"}),
        ("It cost 1,250,000 euros in 2019.", {"1,250,000"}),  # other things cost as much in other years
        ("It was built in 2019.", {"2019."}),  # once
        ("The bridge was opened by Renata Oduya.", {"Renata Oduya.", "opened"}),
        ("In June something happened to the northern bridge.", {"northern"}),
        ("The northern bridge opened in June.", {"northern", "opened", "June."}),
        ("Ferries came every twenty minutes.", {"twenty"}),
    ],
)
def test_one_detail_that_the_evidence_has_is_altered(claim, details):
    changed = results(lambda rng: alter(claim, " ".join(EVIDENCE), rng))
    assert None not in changed
    assert claim not in changed
    assert {" ".join(difference(claim, new)[0]) for new in changed} == details


def test_a_new_detail_is_of_the_same_kind_and_not_true_by_chance():
    new = {
        difference("It is 240 metres.", c)[1][0]
        for c in results(lambda r: alter("It is 240 metres.", " ".join(EVIDENCE), r))
    }
    assert "35" in new  # the evidence's own other number, half of the time
    assert not new & {"240", "2019", "1974"}  # a length does not become a year
    made = results(lambda r: alter("Built in 2019.", " ".join(EVIDENCE), r))
    years = {difference("Built in 2019.", c)[1][0] for c in made}
    assert "1974." in years
    assert all((len(year) == 5 and 1980 < int(year[:4]) < 2060) or year == "1974." for year in years)
    money = {
        difference("It cost 1,250,000 euros.", c)[1][0]
        for c in results(lambda r: alter("It cost 1,250,000 euros.", " ".join(EVIDENCE), r))
    }
    assert any("," in amount for amount in money)


def test_a_name_behind_a_relation_with_one_holder_is_altered_and_no_other():
    claim, other = "Velmora has a bridge built by Harbour Steel.", "They met in Porto Alegre with Ada Lint."
    new = results(lambda rng: alter(claim, " ".join(EVIDENCE), rng, other))
    assert "Velmora has a bridge built by Renata Oduya." in new
    assert "Velmora has a bridge built by Ada Lint." in new
    assert not any(text.startswith("Porto Alegre") or "Harbour has" in text or "COVID" in text for text in new)
    assert results(lambda rng: alter("Near Velmora stands Harbour Steel.", " ".join(EVIDENCE), rng, other)) == {None}
    virus = "The virus SARS-CoV-2 causes COVID-19, said Renata Oduya."
    assert results(lambda rng: alter("It is about COVID-19.", virus, rng, other)) == {"It is not about COVID-19.", None}


def test_somebody_else_in_the_subjects_place():
    other = "They met in Porto Alegre with Ada Lint and Renata Oduya."
    made = results(lambda rng: other_subject("Renata Oduya opened the bridge.", " ".join(EVIDENCE), other, rng))
    assert made == {"Porto Alegre opened the bridge.", "Ada Lint opened the bridge."}
    rng = np.random.default_rng(0)
    assert other_subject("The bridge opened.", " ".join(EVIDENCE), other, rng) is None
    assert other_subject("Renata Oduya opened it.", " ".join(EVIDENCE), "nobody", rng) is None


def test_what_has_no_detail_is_left_alone():
    rng = np.random.default_rng(0)
    long = "9" * 400
    assert alter(long, long, rng) is None
    assert alter("Dogs run.", "Dogs run.", rng) is None
    assert results(lambda rng: alter("It is not so.", "It is not so.", rng)) == {"It is so.", None}
    assert alter("", "", rng) is None


def test_contrasts_have_the_stance_that_follows_from_how_they_were_made():
    claim = "Renata Oduya opened a bridge of 240 metres in June."
    other = "They met in Porto Alegre with Ada Lint."
    seen = set()
    for seed in range(900):
        made = make_contrast(claim, EVIDENCE, Stance.SUPPORT, np.random.default_rng(seed), other)
        if made is None:
            continue
        text, evidence, stance = made
        source = [s for s in EVIDENCE if text.rstrip(".") in s]
        elsewhere = text.startswith(("Ada Lint", "Porto Alegre"))
        seen.add((stance, bool(source), elsewhere, evidence == EVIDENCE))
        assert text != claim
        if len(evidence) < len(EVIDENCE):
            assert evidence == tuple(s for s in EVIDENCE if s != source[0])
    assert seen == {
        (Stance.SUPPORT, True, False, True),  # a sentence of the evidence
        (Stance.SUPPORT, False, False, True),  # with a number written otherwise, or a bound that it keeps
        (Stance.INSUFFICIENT, True, False, False),  # a sentence that has been taken away
        (Stance.INSUFFICIENT, False, True, True),  # somebody else
        (Stance.REFUTE, False, False, True),  # altered
    }


def test_a_claim_that_is_not_supported_is_not_used_itself():
    for seed in range(200):
        made = make_contrast("Zebras fly in 2019.", EVIDENCE, Stance.REFUTE, np.random.default_rng(seed))
        assert made is None or "Zebra" not in made[0]


def test_one_short_sentence_offers_nothing():
    rng = np.random.default_rng(0)
    assert all(make_contrast("A dog.", ("A dog runs.",), Stance.INSUFFICIENT, rng) is None for _ in range(50))
    assert all(make_contrast("A dog.", (), Stance.SUPPORT, rng) is None for _ in range(50))
