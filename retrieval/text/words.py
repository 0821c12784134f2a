"""Words of a text, as BM25 counts them."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, pairwise

import numpy as np

__all__ = [
    "BM25_B",
    "BM25_K1",
    "bm25_scores",
    "is_letter",
    "letter_places",
    "was_cut_otherwise",
    "with_letters",
    "words",
]

#: Term saturation and length normalisation of BM25 (Robertson & Zaragoza 2009), the values Lucene and bm25s use.
BM25_K1, BM25_B = 1.5, 0.75

_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = re.compile(rf"{_NUMBER}|[^\W\d_]+", re.UNICODE)
#: Joiners that say how letters are drawn, not which they are.
_JOINERS = re.compile("[\u200c\u200d\u2060\ufeff\u00ad]")
#: Scripts without spaces between words: Chinese, Japanese (and Korean); Thai and Lao, Myanmar with its extensions, Khmer.
_CJK_RANGES = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_SOUTHEAST_RANGES = r"\u0e01-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff"
_CJK, _SOUTHEAST = re.compile(f"[{_CJK_RANGES}]"), re.compile(f"[{_SOUTHEAST_RANGES}]")
_RUN = re.compile(f"[{_SOUTHEAST_RANGES}]+|[^{_SOUTHEAST_RANGES}]+")
#: Zero-width spaces, which some writers of those scripts set between words and others do not.
_INNER_SPACE = re.compile(f"(?<=[{_SOUTHEAST_RANGES}])\u200b+(?=[{_SOUTHEAST_RANGES}])")
#: A letter and its marks: in a word, what is not \w is a mark.
_LETTER = re.compile(r"\w\W*")
_LONE = re.compile(rf"[{_CJK_RANGES}{_SOUTHEAST_RANGES}]\W*")
_COMMON = """
a an and are as at be been but by for from had has have he her his i in is it its of on or she that the their there they
this to was we were which who will with you
"""
_STOPWORDS = frozenset(_COMMON.split())


def words(text: str) -> list[str]:
    """Lower-cased, lightly stemmed words and numbers; of scripts without spaces, overlapping pairs of letters.

    A letter that stands alone there is a word; in a query it stands for the pairs that hold it, see :func:`with_letters`.
    """
    text = text.lower()
    if text.isascii():
        return [_stem(word) for word in _WORD.findall(text) if word not in _STOPWORDS]
    # One form for letters with accents, whichever way they are stored; "İ" becomes an i with a dot above it.
    text = unicodedata.normalize("NFC", _JOINERS.sub("", text)).replace("i\u0307", "i")
    if "\u200b" in text:
        text = _INNER_SPACE.sub("", text)
    found: list[str] = []
    for word in _word_with_marks().findall(text):
        if word.isascii():
            if word not in _STOPWORDS:
                found.append(_stem(word))
        elif not _SOUTHEAST.search(word):
            found += _cut(word)
        else:
            for run in _RUN.findall(word):
                found += _pairs(_LETTER.findall(run)) if _SOUTHEAST.match(run) else _cut(run)
    return found


def _cut(word: str) -> list[str]:
    """The words in a run of letters that has none of Southeast Asia."""
    if _CJK.search(word):
        return _pairs(word)
    return [] if word in _STOPWORDS else [_stem(word)]


def _pairs(letters: Sequence[str]) -> list[str]:
    """Overlapping pairs of letters; a lone one itself."""
    return [first + second for first, second in pairwise(letters)] or list(letters)


def is_letter(word: str) -> bool:
    """Whether a word is one letter of a script without spaces, with its marks."""
    return not word.isascii() and _LONE.fullmatch(word) is not None


def letter_places(letter: str, word: str) -> tuple[bool, bool]:
    """Whether a pair (or a lone letter) begins and ends with a letter, marks and all."""
    letters = _LETTER.findall(word) if letter in word else [""]
    return letters[0] == letter, letters[-1] == letter


def with_letters(query: Sequence[str], documents: Sequence[list[str]]) -> list[list[str]]:
    """The words of documents and, as often as pairs there hold them, the lone letters of a query."""
    letters = [word for word in dict.fromkeys(query) if is_letter(word)]
    if not letters:
        return list(documents)
    return [
        [*d, *(letter for letter in letters for _ in range(_count(letter, d) - d.count(letter)))] for d in documents
    ]


def _count(letter: str, document: Sequence[str]) -> int:
    """How often a letter occurs in a document's words: each time first in a pair, but at the end of a run, and the reverse."""
    first, last = zip((0, 0), *(letter_places(letter, word) for word in document), strict=True)
    return max(sum(first), sum(last))


def was_cut_otherwise(vocabulary: Iterable[str]) -> bool:
    """Whether a vocabulary is of a version that took runs of Thai, Lao, Khmer or Myanmar for one word."""
    return any(not word.isascii() and _SOUTHEAST.search(word) and words(word) != [word] for word in vocabulary)


@cache
def _word_with_marks() -> re.Pattern[str]:
    """``_WORD`` for scripts whose vowel signs are marks beside the letters (Devanagari, Bengali, Tamil, Thai …)."""
    # Every process with a curly quote in its texts comes by: the planes without letters are not looked through.
    codes = chain(range(0x20000), range(0xE0000, 0xE1000))
    marks = "".join(char for char in map(chr, codes) if unicodedata.category(char)[0] == "M")
    return re.compile(rf"{_NUMBER}|[^\W\d_](?:[^\W\d_]|[{marks}])*")


def _stem(word: str) -> str:
    """Strip plural, -ing and -ed (the S-stemmer of Harman 1991 and two more rules): same form for inflections of a word."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        stem = word.removesuffix(suffix)
        if stem != word and len(stem) >= 3 and any(c in "aeiouy" for c in stem):
            word = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
            break
    return word.removesuffix("e") if len(word) > 4 else word


def bm25_scores(query: Sequence[str], documents: Sequence[Sequence[str]]) -> np.ndarray:
    """BM25 of a query against each of a few documents, with their own document frequencies.

    For the sentences of one document, where building an index would cost more than the search; an index over many
    documents is :class:`retrieval.indexes.BM25Index`.

    Args:
        query: words of the query.
        documents: words of each of n documents.

    Returns:
        float64 (n,), 0 where no word is shared.
    """
    lengths = np.array([len(d) for d in documents], np.float64)
    scores = np.zeros(len(documents))
    if not len(documents) or not lengths.any():
        return scores
    norm = BM25_K1 * (1 - BM25_B + BM25_B * lengths / lengths.mean())
    for word in dict.fromkeys(query):
        counts = np.array([d.count(word) for d in documents], np.float64)
        frequency = np.count_nonzero(counts)
        if frequency:
            idf = np.log1p((len(documents) - frequency + 0.5) / (frequency + 0.5))
            scores += idf * counts / (counts + norm)
    return scores
