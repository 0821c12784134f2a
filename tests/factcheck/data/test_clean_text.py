import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factcheck.data import clean_text

CASES = [
    ("plain text", "plain text"),
    ("", ""),
    (" \t\r\n\u00a0\u2003 ", ""),
    ("a\n\nb\tc", "a b c"),
    ("Q&amp;A", "Q&A"),
    ("Q&amp;amp;amp;A", "Q&A"),
    ("&#38;#38;lt;3", "<3"),
    ("it&#39;s &quot;so&quot;&nbsp;far&hellip;", 'it\'s "so" far...'),
    ("AT&T &notable AT&amplify ?a=1&copy=2", "AT&T &notable AT&amplify ?a=1&copy=2"),
    ("<p>One<br/>two</p><!-- ad -->", "One two"),
    ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
    ("x < 3 and y > 2, I <3 it, a<1>b", "x < 3 and y > 2, I <3 it, a<1>b"),
    ("read https://t.co/AbC123 now", "read now"),
    ("नमस्तेhttps://t.co/abcहै", "नमस्ते है"),
    ("see pic.twitter.com/x9YzZ", "see"),
    ("see PIC.TWITTER.COM/x9YzZ.", "see ."),
    ("cut off https://t.co/...", "cut off"),
    ("cut off https:…", "cut off"),
    ("at http://www.bbc.co.uk/news?id=1&amp;x=2#top and", "at and"),
    ("at www.example.org/page, and", "at and"),
    ('<a href="http://example.com/a">Example</a> said', "Example said"),
    ("from timesofindia.com today", "from today"),
    ("via news.sky.com/story/1 today", "via today"),
    ("U.S. Senate on Monday.Two key demands", "U.S. Senate on Monday.Two key demands"),
    ("3.5 per cent, e.g. this, p.m. at 10.30", "3.5 per cent, e.g. this, p.m. at 10.30"),
    ("and/or and he/she 24/7", "and/or and he/she 24/7"),
    ("the ratio 3:1 at 10:30", "the ratio 3:1 at 10:30"),
    ("zero\u200bwidth\ufeff and soft\u00adhyphen", "zerowidth and softhyphen"),
    ("bell\x07 null\x00 del\x7f", "bell null del"),
    ("\u202eright to left\u202c", "right to left"),
    ("ｆｕｌｌ width ﬁne 𝗕𝗼𝗹𝗱", "full width fine Bold"),
    ("cafe\u0301", "café"),
    ("भारत में। दूसरा वाक्य", "भारत में। दूसरा वाक्य"),
    ("मुख्यमंत्री ने कहा", "मुख्यमंत्री ने कहा"),
    ("half a pair \ud83d here", "half a pair here"),
    ("emoji 😀 👍🏽", "emoji 😀 👍🏽"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_cases(text, expected):
    assert clean_text(text) == expected


# Pieces from which mark-up, links and nested escapes arise, so that chance combinations bite.
PIECES = [
    *["&", "amp;", "&lt;", "&gt;", "&#38;", "&#x26;", "#38;", "<", ">", "<a", "/b>", "!--", "&semi;", "&num;", "&#97;"],
    *[
        "https",
        ":",
        "//",
        "http://",
        "www.",
        "t.co/",
        "pic.twitter.com/",
        ".com",
        "/",
        "a",
        "Ab1",
        ".",
        "...",
        "…",
        "@",
    ],
    *[
        " ",
        "\n",
        "\u200b",
        "\u00ad",
        "\u0301",
        "\ufe0f",
        "\u00a0",
        "ﬁ",
        "｡",
        "＆",
        "；",
        "ａｍｐ",
        "\x00",
        "\ud800",
        "“",
        "é",
    ],
]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


@settings(max_examples=400, deadline=None)
@given(texts)
@example("&" + "amp;" * 50 + "lt;")
@example("&&#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;#97;mp;lt;")
@example("<a" * 20 + ">" * 20)
def test_idempotent_and_normalised(text):
    once = clean_text(text)
    assert clean_text(once) == once
    assert once == once.strip()
    assert not re.search(r"\s\s|[\x00-\x1f\x7f\u200b\ufeff\ud800-\udfff]|[^\S ]", once)
    assert not re.search(r"https?://|\bt\.co/|<[a-z]+>|&amp;|&lt;", once, re.IGNORECASE)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("abcdefghij .,!?'0123456789-()äöüßéñ你好нет"), max_size=80))
def test_plain_prose_keeps_its_characters(text):
    # Nothing but white space may change where there is no mark-up, link or invisible character.
    if re.search(r"\w\.\w", text):
        return
    assert clean_text(text) == " ".join(text.split())


@pytest.mark.parametrize("piece", ["&amp;", "&", "<", "<a", "&#38;", "a.", "http://", "www.a.", "https:/", "&&#97;mp;"])
def test_hostile_repetition_is_linear(piece):
    # A quadratic scan of a megabyte would run into the suite's time limit.
    clean_text(piece * (1_000_000 // len(piece)))
