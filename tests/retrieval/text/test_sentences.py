"""Sentence splitting: cases that go wrong elsewhere, and properties that must hold on any text."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import InputError, split_sentences

CASES = {
    "plain": ["He left. ", "She stayed!  ", "Why?"],
    "glued": ["It opened on Monday.", "Two people came."],
    "glued after a year": ["It ended in 2015.", "The rest is history."],
    "acronym": ["The U.S. Senate met in Washington, D.C. on Monday. ", "It voted."],
    "acronym ends": ["He moved to the U.S. ", "The family followed."],
    "decimal": ["Prices rose 3.5 percent. ", "Then they fell by .5 points."],
    "initials": ["J. K. Rowling met George W. Bush. ", "They talked."],
    "titles": ["Dr. Smith and Mrs. Jones met Gen. Lee at St. Paul. ", "Prof. Ito did not."],
    "company": ["Acme Inc. sued Foo Corp. and Bar Ltd. for $5. ", "It lost."],
    "number": ["See No. 5 and Fig. 3 on pp. 7-9. ", "No. ", "That is wrong."],
    "month": ["It was on Jan. 5 and Sept. 9. ", "Nobody knew."],
    "danda": ["यह एक वाक्य है। ", "यह दूसरा है॥ ", "क्या यह तीसरा है?"],
    "chinese": ["今天是星期一。", "明天下雨吗？", "是的！"],
    "chinese quotes": ["他说：「你好。」", "她走了。"],
    "urdu": ["یہ ایک جملہ ہے۔ ", "کیا یہ دوسرا ہے؟ ", "ہاں"],
    "quotes": ['"It is over." ', "He said “We won.” ", "Then he left."],
    "quote with a verb": ['"Is it over?" she asked. ', '"Yes!" he said.'],
    "brackets": ["He left (she stayed.) ", "They met again."],
    "headline": ["Senate votes on bill\n", "The Senate voted on Monday. ", "It passed."],
    "two headlines": ["Breaking\n\n", "More to come\r\n", "Updated at 5 p.m. on Friday"],
    "wrapped": ["The bill was passed by\nthe lower house on Friday. ", "It is law."],
    "dashes": ["Needed:\n", "- two eggs\n", "- one cup of flour\n", "* salt"],
    "bullets inline": ["Needed: ", "• two eggs ", "• salt"],
    "numbered": ["1. Wash your hands. ", "Do it well.\n", "2. Dry them."],
    "ellipsis": ["Well... that is it. ", "So… ", "Nobody came..."],
    "links": ["See https://a.example.org/x.html?y=1. ", "Or www.foo.com/Bar.Baz, or mail a.b@c.org. ", "Thanks."],
    "file": ["Open report.v2.pdf now. ", "Then close it."],
    "citation": ["It fell in 1989.[3] ", "The next year, it rose."],
    "interrobang": ["Really?! ", "Yes!!! ", "OK."],
    "a.m.": ["At 5 a.m. Monday the sun rose. ", "At 6 p.m. it set."],
    "latin": ["Fruit, e.g. Apples, i.e. Malus, etc. ", "The rest vs. Pears."],
    "cyrillic": ["Он ушёл. ", "Она осталась."],
    "spanish": ["¿Cómo estás? ", "¡Bien! ", "Gracias."],
    "middle initial glued": ["Harry S.Truman spoke. ", "He won."],
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    text = "".join(CASES[name])
    assert [s.text for s in split_sentences(text)] == [part.strip() for part in CASES[name]]


def check(text, sentences):
    position = 0
    for sentence in sentences:
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text == sentence.text.strip() != ""
        assert text[position : sentence.start].strip() == ""
        assert sentence.start >= position
        position = sentence.end
    assert text[position:].strip() == ""


_PIECES = (
    'U.S. |Dr. |3.5|Monday.Two|.|…|...|。|।|"|”|(|)|\n|\r\n|\n\n|• |- |http://x.org/a.b |a@b.co|word |The |1. |, |; '
)
PIECES = st.sampled_from([*_PIECES.split("|"), "é", "e\u0301", "👩\u200d🔬", "\u2028", "\x85", "\u00a0", "\u200b"])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join)))
def test_spans_reproduce_the_text_and_nothing_is_lost(text):
    check(text, split_sentences(text))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join)), st.integers(20, 80))
def test_long_sentences_are_cut(text, max_chars):
    sentences = split_sentences(text, max_chars=max_chars)
    check(text, sentences)
    assert all(len(s.text) <= max_chars for s in sentences)


def test_cuts_at_a_clause_then_at_a_space():
    text = "the first clause is here, the second one follows it without any stop at all"
    assert [s.text for s in split_sentences(text, max_chars=40)] == [
        "the first clause is here,",
        "the second one follows it without any",
        "stop at all",
    ]


def test_splitting_a_sentence_again_changes_nothing():
    text = "He left. She stayed in the U.S. Senate until 3.5 p.m. on Monday.Two came."
    for sentence in split_sentences(text):
        assert [s.text for s in split_sentences(sentence.text)] == [sentence.text]


def test_bad_input():
    with pytest.raises(InputError, match="got bytes"):
        split_sentences(b"abc")
    with pytest.raises(InputError, match="`max_chars` is 3, expected a whole number of at least 20"):
        split_sentences("abc", max_chars=3)


@pytest.mark.parametrize(
    "piece",
    [
        *(" ", "\n", "\u00a0", "a \n", " •", "-", "_", ".", ". ", '"', "a\u0301\u200d", "中"),
        *("Ab3", "a-", "a@", "a.b@c.", "A.B.", "A. B. ", "foo.bar.", "www.", "10.0.0.1 ", "3.5 "),
        *("J. Smith, A. B. Jones and Dr. K. Lee et al. ", "vol. 1, pp. 1-10, no. 3; "),
        *("see http://example.com/a.b?x=1 and x@foo.org ", "127.0.0.1 - - [10/Oct/2000:13:55] 'GET /a.gif' 200 "),
    ],
)
def test_dirt_takes_time_in_proportion_to_its_length(piece):
    """A splitter that looks at a run again from each place in it needs minutes to days for these: the test would not end."""
    text = "It begins here. Dr. " + piece * (150_000 // len(piece)) + " It ends here."
    sentences = split_sentences(text)
    assert sentences[0].text == "It begins here."
    assert sentences[-1].text.endswith("here.")
    assert all(text[s.start : s.end] == s.text and len(s.text) <= 500 for s in sentences)
    between = [text[a.end : b.start] for a, b in itertools.pairwise(sentences)]
    assert not "".join(between).strip()
