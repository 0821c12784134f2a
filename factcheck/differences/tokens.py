"""Words, numbers and marks of a text, with their places."""

import re
from collections.abc import Sequence
from functools import lru_cache

from factcheck.differences.lexicon import IRREGULAR, SAME

__all__ = ["Token", "canonical", "in_markup", "stem", "stems", "tokenize"]

# Every alternative reads on without trying again, so the time is linear in the text.
_TOKEN = re.compile(r"(?:[^\W\d_]\.){2,}|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\w\s]")
# A tag without attributes or with at least one that has a value: "x <b and c> d" is none.
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)(?:\s[^<>=]*=[^<>]*)?/?>")
#: Elements whose text is code.
_CODE = ("script", "style")


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


def in_markup(tokens: Sequence[Token], text: str) -> list[bool]:
    """Which tokens stand within a tag, or in the code of a script or a style sheet; time is linear in the text."""
    found = [False] * len(tokens)
    if "<" not in text:
        return found
    i, code, began = 0, "", 0
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        start = tag.start()
        if code:
            if not (tag[1] and name == code):
                continue
            start, code = began, ""
        elif name in _CODE and not tag[1]:
            code, began = name, tag.end()
        while i < len(tokens) and tokens[i].start < tag.end():
            found[i] = tokens[i].start >= start
            i += 1
    return found


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
