"""Texts that are written in another script than the languages that a model reads: told from two words on, with no detector."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from functools import cache, lru_cache

__all__ = ["script_not_read", "without_scripts"]

# As much of a text as the detector looks at.
_MOST_CHARS = 2_000

#: The languages (ISO 639) of each script but the Latin one, which all the world writes names and units in. A script goes by the
#: first word of its characters' names in Unicode.
_LANGUAGES = {
    "CYRILLIC": "ab az ba be bg bs ce chv cv kk kv ky mhr mk mn os ru sah sr tg tk tt tyv udm uk uz",
    "GREEK": "el grc",
    "COPTIC": "cop",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka xmf",
    "HEBREW": "hbo he yi",
    "ARABIC": "ar arz ary az bal ckb fa glk ha kk ks ku lrc mzn ms pa pnb ps sd sdh skr tk ug ur uz uzs",
    "SYRIAC": "arc syr",
    "THAANA": "dv",
    "DEVANAGARI": "awa bgc bho brx doi gom hi hne kok ks mag mai mr ne new sa sat sd",
    "BENGALI": "as bn bpy mni",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn tcy",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "MEETEI": "mni",
    "OL": "sat",
    "THAI": "th",
    "LAO": "lo",
    "MYANMAR": "mnw my shn",
    "KHMER": "km",
    "TIBETAN": "bo dz",
    "ETHIOPIC": "am gez ti tig",
    "TIFINAGH": "kab shi zgh",
    "NKO": "nqo",
    "CHEROKEE": "chr",
    "CANADIAN": "cr iu oj",
    "MONGOLIAN": "mn",
    "CJK": "ja ko wuu yue zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "BOPOMOFO": "zh",
    "HANGUL": "ko",
    "YI": "ii",
}
#: Their letters stand for a syllable or a word, as two Latin ones do at the least.
_SYLLABIC = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "YI", "ETHIOPIC"}
#: Their letters are symbols where they stand alone ("α", "ℵ").
_SYMBOLS = {"GREEK", "HEBREW"}
_WORD = re.compile(r"[^\W\d_]+")
# Where words are not spaced Latin ones stand among them as they are: "GDP增长5%".
_UNSPACED = "\u0e00-\u0eff\u3005-\u9fff\uac00-\ud7a3"
_BORDER = re.compile(f"(?<=[A-Za-z])(?=[{_UNSPACED}])|(?<=[{_UNSPACED}])(?=[A-Za-z])")
_BETWEEN = re.compile(r"[^\w\s]")


def script_not_read(text: str, read: Collection[str]) -> str | None:
    """The script that most of the first 2,000 characters are in, if none of the languages that are ``read`` is written in it.

    Names are quoted in any script, and Greek letters are symbols: those, and words with a Latin letter in them, count as read, and
    the other script must have more letters than is read, and more of them in words that no capital marks as names.

    Args:
        text: of any form.
        read: ISO 639 codes; empty if all are read.

    Returns:
        The script's name in Unicode ("Cyrillic", "CJK" for Chinese characters); None for a text that can be read, and where in doubt.

    >>> script_not_read("Путин умер.", ["en"])
    'Cyrillic'
    >>> script_not_read("Владимир Путин was born in 1952.", ["en"])
    """
    if text.isascii() or not read:
        return None
    others: Counter[str] = Counter()
    known, small, small_known = 0, 0, 0
    joined = _BETWEEN.sub(_without_mark, unicodedata.normalize("NFKC", text[:_MOST_CHARS]))
    for word in _WORD.findall(_BORDER.sub(" ", joined)):
        script = None if word.isascii() else _not_read(word, read)
        letters = len(word) * (2 if script in _SYLLABIC else 1)
        # A headline is all capitals in any script; among words of another one Latin capitals are abbreviations.
        name = word != word.lower() if script is None else word.istitle()
        if script is None:
            known, small_known = known + letters, small_known + (0 if name else letters)
        else:
            others[script], small = others[script] + letters, small + (0 if name else letters)
    if others.total() <= known or small < small_known or small == small_known > 0:
        return None
    most = others.most_common(1)[0][0]
    return most if most == "CJK" else most.capitalize()


def _not_read(word: str, read: Collection[str]) -> str | None:
    """The script of a word that is not read; None if it has a Latin letter or one of no script, and for a symbol."""
    scripts = [_script(char) for char in word]
    if None in scripts or (len(word) == 1 and scripts[0] in _SYMBOLS):
        return None
    return next((script for script in scripts if script and _languages(script).isdisjoint(read)), None)


def without_scripts(text: str, read: Collection[str]) -> str:
    """A text with a space for each word in a script that none of the languages that are ``read`` is written in."""
    if text.isascii() or not read:
        return text
    return _WORD.sub(lambda found: " " if _is_in_another(found[0], read) else found[0], text)


def _is_in_another(word: str, read: Collection[str]) -> bool:
    scripts = {_script(char) for char in word} if not word.isascii() else {None}
    return all(script is not None and _languages(script).isdisjoint(read) for script in scripts)


def _without_mark(between: re.Match[str]) -> str:
    """Nothing for a vowel sign or an accent, which belong to the word, and a space for any other mark."""
    return "" if unicodedata.category(between[0])[0] == "M" else " "


@lru_cache(maxsize=4096)
def _script(char: str) -> str | None:
    name = re.split("[ -]", unicodedata.name(char, ""))[0]
    name = "CJK" if name == "IDEOGRAPHIC" else name  # 々
    return name if name in _LANGUAGES else None


@cache
def _languages(script: str) -> frozenset[str]:
    return frozenset(_LANGUAGES[script].split())
