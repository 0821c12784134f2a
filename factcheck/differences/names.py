"""Names in a sentence, and whether two names can be the same one's."""

from collections.abc import Sequence

from factcheck.differences.amounts import DASHES, is_tight
from factcheck.differences.lexicon import NUMBER_WORDS, STOPWORDS, word_set
from factcheck.differences.records import Kind, Value
from factcheck.differences.tokens import Token

__all__ = ["find_names", "initials", "same_name"]

_INNER = word_set("of de la del der den van von the al el bin ibn da di du le y")
#: Of a country: the word for its people or things. Only those that share no beginning with it are needed.
_DEMONYMS = """french:france dutch:netherlands,holland british:britain,uk english:england german:germany spanish:spain danish:denmark
swiss:switzerland greek:greece polish:poland chinese:china turkish:turkey swedish:sweden scottish:scotland welsh:wales irish:ireland
finnish:finland american:us,usa,america,u.s. thai:thailand norwegian:norway portuguese:portugal czech:czechia peruvian:peru
ukrainian:ukraine afghan:afghanistan iraqi:iraq israeli:israel japanese:japan russian:russia italian:italy indian:india
australian:australia austrian:austria canadian:canada mexican:mexico brazilian:brazil korean:korea egyptian:egypt"""
_COUNTRY_OF = {word: frozenset(names.split(",")) for entry in _DEMONYMS.split() for word, names in [entry.split(":")]}


def find_names(tokens: Sequence[Token], taken: Sequence[bool], text: str) -> list[Value]:
    """Runs of capitalised words outside ``taken``, joined by "of", "de" and the like.

    The first word of the text counts where it is not one of the small words that begin sentences: of "Prices fell" that makes a
    name, which a reader of names has to bear.
    """
    names: list[Value] = []
    i, count = 0, len(tokens)
    while i < count:
        if taken[i] or not _capital(tokens[i]):
            i += 1
            continue
        j = last = i + 1
        while j < count and j - i < 12 and not taken[j]:
            if _capital(tokens[j], inside=True) or (
                tokens[j].text in "&-."
                and tokens[j].start == tokens[j - 1].end
                and j + 1 < count
                and _capital(tokens[j + 1], inside=True)
            ):
                j += 1
                last = j
            elif (
                tokens[j].low in _INNER
                and j + 1 < count
                and (_capital(tokens[j + 1], inside=True) or tokens[j + 1].low in _INNER)
            ):
                j += 1
            elif (
                tokens[j].is_digits
                and tokens[j - 1].is_cap
                and len(tokens[j].text) <= 3
                and j - i >= 1
                and not _counted(tokens, j)
            ):
                j += 1
                last = j
            else:
                break
        while last > i + 1 and not (tokens[last - 1].is_word or tokens[last - 1].is_digits):
            last -= 1
        begin, end = tokens[i].start, tokens[last - 1].end
        if end - begin > 1:
            names.append(Value(Kind.NAME, begin, end, text[begin:end], unit="name", at=(i, last)))
        i = max(last, i + 1)
    return names


def _capital(token: Token, inside: bool = False) -> bool:
    if not (token.is_word and token.is_cap):
        return False
    if token.low in STOPWORDS or token.low in NUMBER_WORDS:
        return (token.text.isupper() and len(token.text) >= 2) or (
            inside and len(token.text) > 3 and token.low not in ("The", "This")
        )
    return True


def _counted(tokens: Sequence[Token], i: int) -> bool:
    """Whether a number behind a name counts what follows, or is one side of a score."""
    if i + 1 >= len(tokens):
        return False
    after = tokens[i + 1]
    return (after.is_word and not after.is_cap and after.low not in STOPWORDS) or (
        after.text in DASHES and is_tight(tokens, i + 1)
    )


def initials(words: Sequence[str]) -> str:
    """The first letters of a name's capitalised words."""
    return "".join(word[0] for word in words if word[0].isupper())


def same_name(one: str, other: str) -> bool | None:
    """Whether two names are written alike (True), may be the same one's (None: surname, acronym, people of a country), or not (False)."""
    if one.lower() == other.lower():
        return True
    first, second = _parts(one), _parts(other)
    if not first or not second:
        return False
    if len(first) != len(second):
        short, long = (first, second) if len(first) < len(second) else (second, first)
        if {w.lower() for w in short} <= {w.lower() for w in long}:
            return None
    for acronym, full in ((first, second), (second, first)):
        if (
            len(acronym) == 1
            and len(full) > 1
            and len(acronym[0]) > 1
            and acronym[0].isupper()
            and acronym[0] == initials(full)
        ):
            return None
    a, b = one.lower(), other.lower()
    if b in _COUNTRY_OF.get(a, ()) or a in _COUNTRY_OF.get(b, ()):
        return None
    return False


def _parts(name: str) -> list[str]:
    return [word for word in name.replace(".", "").replace("-", " ").split() if word.lower() not in _INNER]
