"""Words, numbers and marks of a text, with their places."""

import re
from functools import lru_cache

from factcheck.differences.lexicon import IRREGULAR, SAME

__all__ = ["Token", "canonical", "stem", "stems", "tokenize"]

# Every alternative reads on without trying again, so the time is linear in the text.
_TOKEN = re.compile(r"(?:[^\W\d_]\.){2,}|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\w\s]")


class Token:
    """A word, a number or a mark.

    Attributes:
        text: as written.
        low: in lower case, less a possessive.
        stem: see :func:`stem`.
        start, end: its characters in the text.
        is_word, is_digits: whether it begins with a letter, a digit.
        is_cap: whether it begins with a capital.
    """

    __slots__ = ("end", "is_cap", "is_digits", "is_word", "low", "start", "stem", "text")

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.end = start + len(text)
        self.low, self.stem, self.is_word, self.is_digits, self.is_cap = _forms(text)


@lru_cache(maxsize=1 << 15)
def _forms(text: str) -> tuple[str, str, bool, bool, bool]:
    first = text[0]
    low = text.lower().replace("’", "'")
    if low.endswith("'s"):
        low = low[:-2]
    word = first.isalpha()
    return low, canonical(low) if word else low, word, first.isdecimal(), first.isupper()


def tokenize(text: str) -> list[Token]:
    """The tokens of a text, in order; white space and underscores are in none."""
    return [Token(m.group(), m.start()) for m in _TOKEN.finditer(text)]


def canonical(word: str) -> str:
    """The stem of a lower-case word, or of another that says the same."""
    found = stem(word)
    return _SAME.get(found, found)


def stems(words: str) -> frozenset[str]:
    """The stems of a list of words."""
    return frozenset(map(canonical, words.split()))


def stem(word: str) -> str:
    """One form for the inflections of a lower-case English word: of known irregular ones their base, else less its ending."""
    if (known := IRREGULAR.get(word)) is not None:
        return known
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word.replace(".", "")
    if word.endswith(("ies", "ied")):
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        base = word.removesuffix(suffix)
        if base != word and len(base) >= 3 and any(c in "aeiouy" for c in base):
            word = base[:-1] if base[-1] == base[-2] and base[-1] not in "lsz" else base
            break
    if (known := IRREGULAR.get(word)) is not None:
        return known
    return word.removesuffix("e") if len(word) > 4 else word


_SAME = {stem(word): stem(same) for word, same in SAME.items()}
