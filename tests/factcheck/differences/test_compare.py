"""How a claim's values stand to its evidence, by the stance policy of docs/stance.md."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factcheck.differences import Relation, compare, explain


def relations(claim, *evidence):
    """Of everything but names: relation by what the claim says."""
    return {d.claim_value: d.relation.value for d in compare(claim, evidence) if d.kind != "name"}


@pytest.mark.parametrize(
    ("claim", "evidence", "relation"),
    [
        ("The dam cost 2.5 million euros.", "The dam cost 2,500,000 euros.", "equal"),
        ("The wall is 3 kilometres long.", "The wall is 3,000 metres long.", "equal"),
        ("The wall is 30 metres high.", "The wall is 98 feet high.", "compatible"),
        ("The strike lasted two weeks.", "The strike lasted fourteen days.", "equal"),
        ("A quarter of the crew fell ill.", "25 percent of the crew fell ill.", "equal"),
        ("Over 300 shops closed.", "341 shops closed.", "compatible"),
        ("About 300 shops closed.", "Some 310 shops closed.", "compatible"),
        ("Almost 300 shops closed.", "312 shops closed.", "conflicting"),
        ("Fewer than 300 shops closed.", "341 shops closed.", "conflicting"),
        ("340 shops closed.", "More than 300 shops closed.", "absent"),
        ("The town has 1.2 million people.", "The town has 1,213,000 people.", "compatible"),
        ("The town has 1.2 million people.", "The town has 1.3 million people.", "conflicting"),
        ("The dam cost 2.5 billion euros.", "The dam cost 2.5 million euros.", "conflicting"),
        ("The dam cost 3 million euros.", "The dam cost 3 million dollars.", "conflicting"),
        ("The wall is 10 yards long.", "The wall is 10 miles long.", "conflicting"),
        ("Nine ships were lost.", "Two ships were lost and nine were damaged.", "conflicting"),
        ("The mill opened in 1950.", "The mill opened in 1912 and was rebuilt in 1950.", "conflicting"),
        ("Ana Silva was born on May 3, 1975.", "Ana Silva (born May 3, 1977) is a poet.", "conflicting"),
        ("Ana Silva was born in 1975.", "Ana Silva (born May 3, 1975) is a poet.", "compatible"),
        ("The mill opened in the 1950s.", "The mill opened in 1953.", "compatible"),
        ("Rovers won 3-1 against United.", "Rovers won 3–1 against United.", "equal"),
        ("Emma is her fourth novel.", "Emma is her second novel.", "conflicting"),
        ("The race began at 3 pm.", "The race began at 15:00.", "equal"),
    ],
)
def test_values(claim, evidence, relation):
    assert relation in relations(claim, evidence).values()
    others = {"equal", "compatible", "conflicting"} - {relation}
    assert others.isdisjoint(relations(claim, evidence).values())


def test_an_age_is_not_met_by_a_count_of_people():
    claim = "Most people were over seventy."
    counted = compare(claim, ["Last year the team photographed 1,212 people."])
    assert [d.relation for d in counted] == [Relation.ABSENT]
    assert explain(counted) is None
    assert relations(claim, "Most people were over seventy.") == {"over seventy": "equal"}
    assert relations("Over 300 shops closed.", "341 shops closed.") == {"Over 300": "compatible"}


def test_numbers_in_markup_are_not_values():
    scripted = "<script>alert(1)</script> Dogs run."
    assert explain(compare(scripted, [scripted])) is None
    assert relations('The <td colspan="2">5</td> dogs ran.', "2 dogs and 5 dogs ran.") == {"5": "equal"}
    assert relations("If x <5 dogs run and y> 3 cats.", "Dogs run.") == {"5": "absent", "3": "absent"}


def test_the_weekday_of_a_whole_date_is_met_where_the_names_are():
    evidence = "A Falcon 9 rocket carried the satellite into space on Wednesday, 11 February 2015."
    claim = "The first stage of the Falcon 9 did not land on a ship that {}."
    assert relations(claim.format("Wednesday"), evidence)["Wednesday"] == "equal"
    assert relations(claim.format("Tuesday"), evidence)["Tuesday"] == "absent"
    assert relations("The first stage of the Ariane 5 did not land that Wednesday.", evidence)["Wednesday"] == "absent"


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("Peru raised taxes by 5 percent.", "Chile raised taxes by 7 percent."),
        ("It snowed in Turin on Friday.", "It snowed in Turin on Monday."),
        ("Ana visited Quito in 2011.", "Ana visited Quito in 2013."),
        ("The town had 9,000 people.", "In 1950 the town had 4,000 people."),
        ("Two fires were put out.", "Three other fires were put out."),
        ("Two of the mayors resigned.", "Did five of the mayors resign?"),
        ("The firm made 12 ships.", "The firm sold 15 cars."),
        ("Rovers won 12 games and 3 cups.", "Rovers won 3 cups."),
        ("The 88th Battalion was raised in Kent.", "The 89th Battalion was raised in Kent."),
        ("Ana Silva is not 40 years old.", "Ana Silva is 50 years old."),
    ],
)
def test_what_may_both_be_true_is_no_conflict(claim, evidence):
    assert all(d.relation is not Relation.CONFLICTING for d in compare(claim, [evidence]))


@pytest.mark.parametrize(
    ("claim", "evidence", "kind", "relation"),
    [
        ("Rovers beat United.", "United beat Rovers.", "role", "conflicting"),
        ("Rovers lost to United.", "United beat Rovers.", "role", "equal"),
        ("Omar taught Olga.", "Olga was taught by Omar.", "role", "equal"),
        ("Kofi is older than Lena.", "Lena is older than Kofi.", "role", "conflicting"),
        ("Kofi is younger than Lena.", "Lena is older than Kofi.", "role", "equal"),
        ("Rents in Quito rose.", "Rents in Quito fell.", "direction", "conflicting"),
        (
            "The council closed the old library.",
            "The council did not close the old library.",
            "negation",
            "conflicting",
        ),
        ("Ana Silva is not a poet.", "Ana Silva is a poet and teacher.", "negation", "conflicting"),
        ("The council paid the crew.", "The council refused to pay the crew.", "negation", "conflicting"),
        ("The old bridge collapsed.", "The old bridge almost collapsed.", "hedge", "conflicting"),
        ("The old bridge almost collapsed.", "The old bridge collapsed.", "hedge", "conflicting"),
        ("The firm closed its plant.", "The firm plans to close its plant.", "hedge", "absent"),
        ("The mayor took the money.", "The mayor denied taking the money.", "hedge", "absent"),
    ],
)
def test_turns(claim, evidence, kind, relation):
    assert (kind, relation) in [(d.kind.value, d.relation.value) for d in compare(claim, [evidence])]


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("Peru borders Chile.", "Chile borders Peru."),
        ("Rovers did not beat United.", "United beat Rovers."),
        ("Some bulls are not horses.", "Some bulls are horses."),
        ("The firm will not discuss the case.", "The firm declined to discuss the case."),
        ("Not only Ana Silva sang the song.", "Ana Silva sang the song."),
        ("Kofi was not from Lagos, Olga wrote.", "Kofi was in Lagos, Olga wrote."),
        ("Ana Silva sang the song.", "Did Ana Silva not sing the song?"),
    ],
)
def test_no_turn(claim, evidence):
    assert all(d.relation is not Relation.CONFLICTING for d in compare(claim, [evidence]))


@pytest.mark.parametrize(
    ("claim", "evidence", "relation"),
    [
        ("Then Anna Berg sang.", "Berg sang.", "compatible"),
        ("The head of the World Health Organization spoke.", "The head of WHO spoke.", "compatible"),
        ("A ship from France sank.", "A French ship sank.", "compatible"),
        ("Then Anna Berg sang.", "Anna Berg sang.", "equal"),
        ("Then Anna Berg sang.", "Lena Falk sang.", "absent"),
    ],
)
def test_names(claim, evidence, relation):
    assert [d.relation.value for d in compare(claim, [evidence]) if d.kind == "name"] == [relation]


def test_places_of_a_difference_in_the_sentence_that_says_it():
    evidence = ["It rained.", "Some say so. The dam is 40 m high."]
    (found,) = compare("The dam is 30 m high.", evidence)
    assert (found.sentence, evidence[1][found.start : found.end], found.value) == (1, "40 m", "40 m")
    assert "The dam is 30 m high."[found.claim_start : found.claim_end] == found.claim_value == "30 m"


def test_a_pronoun_stands_for_the_name_before_it():
    claim = "Ana Silva was born in 1975."
    assert relations(claim, "Ana Silva is a poet.", "She was born in 1977.") == {"1975": "conflicting"}
    assert relations(claim, "Olga Nour is a poet.", "She was born in 1977.") == {"1975": "absent"}


@pytest.mark.parametrize(
    ("claim", "evidence", "sentence"),
    [
        ("Twelve people came.", "Three people came.", "The claim says twelve, the document three."),
        ("Rovers beat United.", "United beat Rovers.", "The claim says “Rovers beat United”, the document “United beat Rovers”."),
        ("Over 300 shops closed.", "341 shops closed.", "The claim says over 300, and the document’s 341 agrees with it."),
        ("The hike took a week.", "The hike took seven days.", "The claim says a week, the document seven days, which is the same."),
        ("The hike took 7 days.", "The hike took 7 days.", "Claim and document both say 7 days."),
        ("The firm closed it.", "The firm plans to close it.", "The claim says “closed”, the document only “plans to close”."),
        ("It rained.", "The sun shone.", None),
    ],
)  # fmt: skip
def test_one_sentence(claim, evidence, sentence):
    assert explain(compare(claim, [evidence])) == sentence


def test_the_difference_that_tells_most_comes_first():
    found = compare("Nine of the ships sank and cost $5m.", ["Four of the ships sank and cost $6m."])
    assert explain(found) == "The claim says $5m, the document $6m; the claim says nine, the document four."


PIECES = """the dam Anna beat Paul 5 7 km % $ in 2015 not rose fell was by born more than almost . , ( ) – million"""
WORDS = st.sampled_from(PIECES.split())
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map(" ".join))


@settings(deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_every_difference_is_where_it_says(claim, sentences):
    for d in compare(claim, sentences):
        assert claim[d.claim_start : d.claim_end] == d.claim_value != ""
        if d.sentence is None:
            assert d.relation is Relation.ABSENT
        else:
            assert sentences[d.sentence][d.start : d.end] == d.value
    assert explain(compare(claim, sentences)) != ""


@settings(deadline=None)
@given(TEXTS)
def test_no_text_conflicts_with_itself(text):
    assert all(
        d.relation is not Relation.CONFLICTING
        for d in compare(text, [text])
        if d.kind not in ("negation", "role", "direction")
    )


@pytest.mark.parametrize(
    "piece",
    ["12 ", "1,", "1-", "two hundred ", "Aa ", "a.", "(", "not ", "more than 5 ", "Anna beat Paul ", "|", "and "],
)
def test_long_texts_are_read_to_an_end(piece):
    text = piece * (200_000 // len(piece))
    assert len(compare(text, [text])) < 100_000


def test_a_number_of_something_else_is_not_met():
    assert relations("The bar in Deal has four tables.", "The bar in Deal has a cellar of four by nine metres.") == {
        "four": "absent"
    }
    assert relations(
        "The club in Deal met at eight in the evening.", "The club in Deal met at eight in the morning."
    ) == {"eight in the evening": "conflicting"}
