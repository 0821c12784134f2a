"""Ordinals and fractions at a place in a sentence."""

from collections.abc import Sequence

from factcheck.differences.amounts import DASHES, is_named, is_tight
from factcheck.differences.bounds import following, with_bound
from factcheck.differences.lexicon import NUMBER_WORDS, ORDINAL_WORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token

__all__ = ["read_fraction", "read_ordinal"]

_PARTS = "half:2 halves:2 third:3 quarter:4 fifth:5 sixth:6 eighth:8 tenth:10"
_PART = {word: int(n) for entry in _PARTS.split() for word, n in [entry.split(":")]}
_PART |= {word + "s": n for word, n in _PART.items() if word not in ("half", "halves")}
_ENDINGS = word_set("st nd rd th")
_BEFORE_PART = word_set("a an one two three four five six seven nine")
_WHICH_HALF = word_set("first second latter last other upper lower in")
_AFTER_HALF = word_set("of the its their his her all")
_WRITTEN = {(a, b): 100 * int(a) / int(b) for a in "123" for b in ("2", "3", "4", "5", "8", "10") if int(a) < int(b)}


def read_ordinal(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """ "third", "21st", with what it is of."""
    token, stop = tokens[i], i + 1
    if token.is_digits:
        if stop >= len(tokens) or tokens[stop].low not in _ENDINGS or not is_tight(tokens, stop):
            return None
        if not token.text.isdecimal() or len(token.text) > 6:
            return None
        number, stop = float(token.text), stop + 1
    elif token.low in ORDINAL_WORDS:
        if is_named(tokens, i) or (i and tokens[i - 1].low in (_BEFORE_PART if token.low in _PART else ("per",))):
            return None
        number = float(ORDINAL_WORDS[token.low])
    else:
        return None
    begin, end = token.start, tokens[stop - 1].end
    counted = following(tokens, stop)
    return Value(Kind.ORDINAL, begin, end, text[begin:end], number, number, unit="ordinal", of=counted, at=(i, stop))


def read_fraction(tokens: Sequence[Token], i: int, text: str) -> Value | None:
    """ "a third of", "two-thirds", "half of", "1/2": in percent, so that all writings compare."""
    token = tokens[i]
    if token.low in _BEFORE_PART:
        found = _in_words(tokens, i)
    elif (
        token.low == "half"
        and not (i and tokens[i - 1].low in _WHICH_HALF)
        and i + 1 < len(tokens)
        and tokens[i + 1].low in _AFTER_HALF
    ):
        found = (50.0, i + 1)
    elif (
        token.is_digits
        and i + 2 < len(tokens)
        and tokens[i + 1].text == "/"
        and is_tight(tokens, i + 1)
        and is_tight(tokens, i + 2)
    ):
        share = _WRITTEN.get((token.text, tokens[i + 2].text))
        found = None if share is None else (share, i + 3)
    else:
        return None
    if found is None:
        return None
    share, stop = found
    begin, end = token.start, tokens[stop - 1].end
    value = Value(
        Kind.PERCENTAGE, begin, end, text[begin:end], share, share, unit="%", written_unit="fraction", step=1.0,
        of=following(tokens, stop), at=(i, stop),
    )  # fmt: skip
    return with_bound(tokens, i, stop, text, value)


def _in_words(tokens: Sequence[Token], i: int) -> tuple[float, int] | None:
    top = NUMBER_WORDS.get(tokens[i].low, 1)
    j = i + 1
    if j < len(tokens) and tokens[j].text in DASHES:
        j += 1
    bottom = _PART.get(tokens[j].low) if j < len(tokens) else None
    if bottom is None:
        return None
    if top > 1:
        return (100.0 * top / bottom, j + 1) if tokens[j].low.endswith("s") and top < bottom else None
    # "a third" alone is more often the third of a row
    return (100.0 / bottom, j + 1) if j + 1 < len(tokens) and tokens[j + 1].low == "of" else None
