"""Words of a text, as BM25 counts them."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import chain

import numpy as np

__all__ = ["BM25_B", "BM25_K1", "bm25_scores", "words"]

#: Term saturation and length normalisation of BM25 (Robertson & Zaragoza 2009), the values Lucene and bm25s use.
BM25_K1, BM25_B = 1.5, 0.75

_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = re.compile(rf"{_NUMBER}|[^\W\d_]+", re.UNICODE)
#: Joiners that say how letters are drawn, not which they are.
_JOINERS = re.compile("[\u200c\u200d\u2060\ufeff\u00ad]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_COMMON = """
a an and are as at be been but by for from had has have he her his i in is it its of on or she that the their there they
this to was we were which who will with you
"""
_STOPWORDS = frozenset(_COMMON.split())


def words(text: str) -> list[str]:
    """Lower-cased, lightly stemmed words and numbers; CJK text, which has no spaces, gives overlapping pairs of letters."""
    text, pattern = text.lower(), _WORD
    if not text.isascii():
        # One form for letters with accents, whichever way they are stored; "İ" becomes an i with a dot above it.
        text = unicodedata.normalize("NFC", _JOINERS.sub("", text)).replace("i\u0307", "i")
        pattern = _word_with_marks()
    found = []
    for match in pattern.finditer(text):
        word = match.group()
        if _CJK.search(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif word not in _STOPWORDS:
            found.append(_stem(word))
    return found


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
