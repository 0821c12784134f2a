"""Furniture goes, meaning stays."""

import pytest

from factcheck.data import clean_claim

BARE = "Finland will ban fur farms."

FURNISHED = [
    "BREAKING: {}",
    "Breaking news - {}",
    "BREAKING {}",
    "JUST IN: {}",
    "🚨 BREAKING 🚨: {}",
    "Video: {}",
    "Viral post: {}",
    "Tonight: {}",
    "RT @desk_24: {}",
    "@newsdesk: {}",
    "LONDON (Reuters) - {}",
    "NEW DELHI, Jan 5 (ANI): {}",
    "Helsinki, March 5: {}",
    "(AP) {}",
    "BREAKING: LONDON (Reuters) — {}",
    "According to reports, {}",
    "It is reported that {}",
    "Media reports say that {}",
    "{} (VIDEO)",
    "{} [Watch]",
    "{} (Reuters)",
    "{} - Daily Post",
    "{} – The New York Times",
    "{} | News 24",
    "{} | Yle",
    "{} - reports",
    "{}, report says",
    "{} via @desk_24",
    "{} #finland #fur",
    "{} #breaking",
    "{} 🔥🔥",
    "{} … Read more",
    "Politics | {}",
    "Just in: {} - BBC News #news",
]


@pytest.mark.parametrize("form", FURNISHED)
def test_furniture_goes(form):
    # An ending takes the place of the full stop, a lead that of the capital.
    text = BARE[0].lower() + BARE[1:] if form[:-2].endswith((", ", "that ")) else BARE
    inner = text if form.endswith("{}") or form.split("{}")[1].lstrip()[:1] in "#…" else text.rstrip(".")
    assert clean_claim(form.format(inner)).rstrip(".") == BARE.rstrip(".")


@pytest.mark.parametrize(
    "claim",
    [
        BARE,
        "NASA – The agency hid the landing of 1969.",  # not a place for certain
        "Watch makers struck in Geneva.",
        "Live music is banned in Kabul.",
        "Breaking the law cost him his seat.",
        "Fact check: The earth is flat.",
        "Satire: The pope buys a football club.",
        "FALSE: The vaccine holds chips.",
        "According to the BBC, Finland will ban fur farms.",
        "According to unconfirmed reports, Finland will ban fur farms.",
        "Allegedly, Finland will ban fur farms.",
        "Confirmed: Finland will ban fur farms.",
        "Reports say nothing of the matter.",
        "Brexit was good for us - Boris Johnson",
        "England beat Italy 3 - 2",
        "The temperature rose by 1.5 - 2 degrees.",
        "@POTUS signed the bill.",
        "He was seen with the minister (left)",
        "Tom Hanks (actor)",
        "The law was passed in 1990 (Act 12).",
        "Rome: The city was founded in 753 BC.",
        "He pays 40 | 50 euros a month.",
    ],
)
def test_what_could_be_meant_stays(claim):
    assert clean_claim(claim) == claim


@pytest.mark.parametrize(
    "claim", ["BREAKING NEWS", "Video: (VIDEO)", "LONDON (Reuters) -", "Breaking: Watch", "RT @desk:", "Daily Post"]
)
def test_a_claim_of_furniture_only_stays(claim):
    assert clean_claim(claim).split() == claim.split()


def test_a_hashtag_in_the_sentence_loses_its_sign_alone():
    assert clean_claim("Protests in #Paris and #Lyon over #5G") == "Protests in Paris and Lyon over #5G"


@pytest.mark.parametrize("form", FURNISHED)
def test_cleaning_twice_changes_nothing(form):
    once = clean_claim(form.format(BARE))
    assert clean_claim(once) == once
