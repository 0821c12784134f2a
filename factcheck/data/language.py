"""Which language a text is in, where it says enough to tell.

The detector is py3langid (a byte n-gram model of 140 languages, 4.5 MB, no network); a text in another script needs none. Of 3,257
English claims 2 (0.06%) are taken for another language under the rules below, 11 of their first four words and 9 of their first two;
of 400 in each of 30 other languages 92 to 100% are found (``benchmarks/languages.py``). Of 2,500 English rows lingua in its fast mode
took 0.6% for something else, py3langid one row, in a tenth of the time.
"""

import re
import threading
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Any

from factcheck.data.scripts import script_not_read, without_scripts

__all__ = ["RULES", "detect_language", "detect_short"]

#: Number of the rules of this module and of that for scripts. It is raised with any of them, so that a run does not resume rows that
#: were told by others.
RULES = 5

# Below so much text nothing is said: letters in all, and in words that are written small (names look like any language).
_FEWEST_LETTERS, _FEWEST_SMALL = 16, 10
# Scripts without case say more with a letter.
_FEWEST_UNCASED = 8
#: A text is in another language if those that are read together have less probability than this.
_UNLIKELY = 0.05
#: Letters of a text that may be English after a quotation.
_MOST_QUOTED = 60
#: Certain enough to name the language of a text that is read.
_LIKELY = 0.5
# Of short texts: the share that the most likely language must have where a letter speaks for it, where a small word alone does, and where
# neither does; and what those that are read may have together, in all and in the words that are written small.
_SHORT, _SHORT_SURE, _SHORT_CERTAIN, _SHORT_UNLIKELY = 0.35, 0.4, 0.8, 0.02
#: Languages that a short text is taken for: of the others the detector names one for any odd name.
_SHORT_LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "sv", "tr", "vi")
#: Of short texts the detector takes many for a small neighbour of the language.
_DIALECTS = {
    **dict.fromkeys(("lb", "fy", "nds", "bar"), "de"),
    **dict.fromkeys(("gl", "ext", "an", "ast"), "es"),
    **dict.fromkeys(("oc", "wa"), "fr"),
    **dict.fromkeys(("vec", "lij", "scn", "lmo", "pms"), "it"),
    **dict.fromkeys(("af", "li"), "nl"),
    **dict.fromkeys(("nb", "nn"), "no"),
}
#: Small words of those languages that are no English ones.
_SMALL = """
    der die das den dem des ein eine einen und ist nicht mit sind wird wurde hat haben im am zu von auf für bei aus sie wir ich wie auch
    nur noch nach vor über unter zum zur beim vom oder aber sein seine ihre kein keine mehr sehr
    el la los las del una unos unas es fue son está por para que su de con se lo más pero sus cuando sobre entre desde muy también sin
    le les un une est et dans sur pas au aux du ont des qui ce cette ces sa ses leur mais où avec été elle elles ils nous en
    il gli è di della nel che per si al dei delle sono anche come più ma nella alla
    een het van niet zijn met te dat voor naar bij ook maar aan uit worden werd om op
    o os uma não na da do dos com mais foi ao pelo och är inte det ikke jest nie się
"""
_SMALL_WORDS = frozenset(_SMALL.split())
#: Words and endings that are hardly met in a text that is not English.
_ENGLISH = re.compile(
    r"\b(?:the|of|and|was|is|are|were|has|have|had|with|by|from|to|for|it|his|her|not|as|that|this|won|who|[a-z]{2,}(?:ed|ing))\b"
)
#: English words that are others in another language ("met" is Dutch) or too short for the detector: names may stand on both sides.
_BETWEEN = """
    a after an as at before in into off on or out over under up
    beat became began came gave held hit led left lost made met ran said sang saw says sees sold told took went wins wrote
"""
_BETWEEN_NAMES = frozenset(_BETWEEN.split())
# More than this is not looked at.
_MOST_CHARS = 2_000
#: Languages so close to one that is read that the detector's choice between them says nothing.
_NEIGHBOURS = {"en": ("pcm",), "no": ("nb", "nn", "da"), "hr": ("bs", "sr"), "id": ("ms",), "pt": ("gl",)}
_WORD = re.compile(r"[^\W\d_]+")
_LOADING = threading.Lock()


def detect_language(text: str, read: Collection[str] = ()) -> tuple[str | None, bool]:
    """The language of a text, and whether it is certainly none of those that are ``read``.

    Args:
        text: as the encoders read it.
        read: ISO 639-1 codes; empty if all are.

    Returns:
        An ISO 639 code, None where the text is too short, a list of names, or could be several; and false wherever there is doubt.
        A text in a script of none of them (:func:`~factcheck.data.scripts.script_not_read`) is certain from two words on.
    """
    other_script = script_not_read(text, read) is not None
    if not other_script:
        text = without_scripts(text[:_MOST_CHARS], read)  # a name or a symbol says nothing of the sentence around it
        if not _says_enough(text):
            return None, False
    ranked = [(code, float(share)) for code, share in _detector().rank(text[:_MOST_CHARS])]
    best, certainty = ranked[0]
    if other_script:  # of few letters the detector may still say any language of the script
        return (best if certainty >= _LIKELY and best not in read else None), True
    known = {*read, *(near for code in read for near in _NEIGHBOURS.get(code, ()))}
    if read and best not in known and sum(share for code, share in ranked if code in known) < _UNLIKELY:
        return (None, False) if _goes_on_in_english(text, read) else (best, True)
    return (best if certainty >= _LIKELY else None), False


def detect_short(texts: Sequence[str], read: Collection[str]) -> str | None:
    """The language of short texts of one row that are together in none of those that are ``read``; None where there is doubt.

    For texts of which :func:`detect_language` says nothing as there is too little of each. The detector alone takes any odd name
    for another language, so that a small word of the language ("el", "und") or a letter that English lacks must speak for it, too,
    unless it is all but certain; a letter in a name does so only where the other words are no English ones.

    Args:
        texts: the claim, or claim and evidence.
        read: ISO 639-1 codes; English must be among them, as the small words are told from its own.
    """
    text = " ".join(texts)
    if "en" not in read or len(text) > _MOST_CHARS or _ENGLISH.search(text):
        return None
    words = _WORD.findall(text)
    lower = [word for word in words if word.islower()]
    if not any(len(word) > 2 for word in lower) or _BETWEEN_NAMES.issuperset(lower):
        return None  # names, or one word
    small = any(word.lower() in _SMALL_WORDS and after.islower() for word, after in pairwise([*words, ""]))
    foreign = not text.isascii() and any(not word.isascii() for word in words)
    shares, known = _shares(text, read)
    best, share = max(shares.items(), key=itemgetter(1))
    if best not in _SHORT_LANGUAGES or known >= _SHORT_UNLIKELY:
        return None
    only_in_names = all(word.isascii() for word in lower)
    if not small and only_in_names and _shares(" ".join(lower), read)[1] >= _SHORT_UNLIKELY:
        return None
    return best if share >= (_SHORT if foreign else _SHORT_SURE if small else _SHORT_CERTAIN) else None


def _goes_on_in_english(text: str, read: Collection[str]) -> bool:
    """Whether a short text that English is read of may begin with a quotation or names: "C'est la vie is a song."."""
    english = _ENGLISH.search(text) if "en" in read else None
    if english is None or sum(map(len, _WORD.findall(text))) > _MOST_QUOTED:
        return False
    return _shares(text[english.start() :], read)[1] >= _UNLIKELY


def _shares(text: str, read: Collection[str]) -> tuple[dict[str, float], float]:
    """The probability of each language, dialects with their language, and of those that are read together."""
    shares: dict[str, float] = {}
    known = 0.0
    for code, share in _detector().rank(text):
        language = _DIALECTS.get(code, code)
        shares[language] = shares.get(language, 0.0) + float(share)
        known += float(share) if code in read else 0.0
    return shares, known


def _says_enough(text: str) -> bool:
    words = _WORD.findall(text[:_MOST_CHARS])
    letters = sum(map(len, words))
    cased = sum(word[0].isupper() or word[0].islower() for word in words)
    if 2 * cased < len(words):
        return letters >= _FEWEST_UNCASED
    small = sum(len(word) for word in words if word[0].islower())
    return letters >= _FEWEST_LETTERS and small >= _FEWEST_SMALL


def _detector() -> Any:
    with _LOADING:  # half a second, once
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
