"""What binds a number: "more than", "at least", "about", "or more"; and what it counts."""

import math
from collections.abc import Sequence
from dataclasses import replace

from factcheck.differences.amounts import DASHES, is_tight
from factcheck.differences.lexicon import ABOUT, STOPWORDS, word_set
from factcheck.differences.records import Value
from factcheck.differences.tokens import Token

__all__ = ["following", "is_bound", "with_bound"]

_MORE = word_set("more greater higher longer larger older bigger taller heavier")
_LESS = word_set("less fewer lower smaller younger shorter")
#: Words right before a number, and what they make of it: (least, most, without the number itself).
_ABOVE, _BELOW, _FROM, _TO, _ALMOST = "above", "below", "from", "to", "almost"
#: Share of a number from which "almost" begins.
_NEARLY = 0.85
_SINGLE = {
    **dict.fromkeys(("over", "above", "exceeding", "exceeded", "exceeds", "surpassed", "topped"), _ABOVE),
    **dict.fromkeys(("reach", "reaches", "reached", "reaching"), _FROM),
    **dict.fromkeys(("under", "below"), _BELOW),
    **dict.fromkeys(ABOUT, "about"),
    **dict.fromkeys(("almost", "nearly"), _ALMOST),
}
_PAIRS = {
    ("at", "least"): _FROM,
    ("minimum", "of"): _FROM,
    ("upwards", "of"): _ABOVE,
    ("at", "most"): _TO,
    ("up", "to"): _TO,
    ("maximum", "of"): _TO,
    ("close", "to"): "about",
    ("the", "top"): _TO,
}
_QUOTES = '"“”'
_OR_MORE, _OR_LESS = (
    word_set("more greater higher above over older longer"),
    word_set("less fewer lower below under younger"),
)
_ARTICLES = word_set("the all its their these those them")
_MOST_COUNTED = 3


def with_bound(tokens: Sequence[Token], first: int, stop: int, text: str, value: Value) -> Value:
    """A value at tokens ``first`` to ``stop``, widened by what stands before and behind it."""
    bound, used = _before(tokens, first)
    after = _after(tokens, stop)
    if after is not None:
        bound, stop = after[0], after[1]
    elif bound is None:
        return value
    low = -math.inf if bound in (_BELOW, _TO) else value.low * (_NEARLY if bound == _ALMOST and value.low > 0 else 1)
    high = math.inf if bound in (_ABOVE, _FROM) else value.high
    begin, end = tokens[first - used].start, max(value.end, tokens[stop - 1].end)
    return replace(
        value,
        start=begin,
        end=end,
        text=text[begin:end],
        low=low,
        high=high,
        open_low=bound == _ABOVE,
        open_high=bound in (_BELOW, _ALMOST),
        about=bound == "about",
        step=0.0 if bound == _ALMOST else value.step,
        at=(first - used, stop),
        of=following(tokens, stop) or value.of,
    )


def is_bound(tokens: Sequence[Token], first: int) -> bool:
    """Whether words that bind a number stand before it."""
    return _before(tokens, first)[0] is not None


def _before(tokens: Sequence[Token], first: int) -> tuple[str | None, int]:
    words = [token.low for token in tokens[max(0, first - 3) : first]]
    if any(word in _QUOTES for word in words):
        plain = [token for token in tokens[max(0, first - 5) : first] if token.text not in _QUOTES]
        bound, used = _before(plain, len(plain))
        return bound, first - tokens.index(plain[-used]) if used else 0
    if not words:
        return None, 0
    if len(words) >= 2:
        second, last = words[-2], words[-1]
        if last == "than" and second in _MORE:
            return (_TO, 3) if words[0] in ("no", "not") and len(words) == 3 else (_ABOVE, 2)
        if last == "than" and second in _LESS:
            return (_FROM, 3) if words[0] in ("no", "not") and len(words) == 3 else (_BELOW, 2)
        if (pair := _PAIRS.get((second, last))) is not None:
            return pair, 2
        if len(words) == 3 and words[0] == "as" and second in ("many", "much") and last == "as":
            return _TO, 3
    return (_SINGLE[words[-1]], 1) if words[-1] in _SINGLE else (None, 0)


def _after(tokens: Sequence[Token], stop: int) -> tuple[str, int] | None:
    if stop < len(tokens) and tokens[stop].text == "+" and is_tight(tokens, stop):
        return _FROM, stop + 1
    if stop + 1 < len(tokens) and tokens[stop].low == "or":
        if tokens[stop + 1].low in _OR_MORE:
            return _FROM, stop + 2
        if tokens[stop + 1].low in _OR_LESS:
            return _TO, stop + 2
    return None


def following(tokens: Sequence[Token], stop: int) -> tuple[str, ...]:
    """Stems of up to three words behind a number, up to a small word or a mark: what it counts is among them."""
    if stop < len(tokens) and tokens[stop].text in DASHES and is_tight(tokens, stop):
        stop += 1
    if stop + 1 < len(tokens) and tokens[stop].low == "of":
        stop += 2 if tokens[stop + 1].low in _ARTICLES else 1
    words: list[str] = []
    for token in tokens[stop : stop + _MOST_COUNTED]:
        if not token.is_word or token.low in STOPWORDS:
            break
        words.append(token.stem)
    return tuple(words)
