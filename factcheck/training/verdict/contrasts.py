"""Training rows that differ from a supported claim in one number, name or word.

Sets of labelled claims seldom hold two claims that are alike but for the detail that decides. Such pairs can be made from any
sentence that is evidence: with one detail altered it is refuted by itself, unaltered it is supported, and without it among the
evidence nothing is known. (After Kryściński et al., "Evaluating the Factual Consistency of Abstractive Text Summarization",
EMNLP 2020, https://arxiv.org/abs/1910.12840, with details swapped inside the evidence, and the third class, added.)
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

from factcheck.labels import Stance

__all__ = ["alter", "make_contrast"]

# Of an identifier ("COVID-19", "F16", "3D") the digits are no quantity.
_NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w-])|(?<![\w.,-])\d+(?:\.\d+)?(?![\w-])")
_MOST_DIGITS = 15
_NAME = re.compile(r"[A-Z][\w’'-]*[a-z][\w’'-]*(?: (?:(?:of|de|van|von|the) )*[A-Z][\w’'-]*[a-z][\w’'-]*)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…]\s+|[\"“‘(]\s*)$")
_SERIES = tuple(
    tuple(words.split())
    for words in (
        "two three four five six seven eight nine ten eleven twelve",
        "twenty thirty forty fifty sixty seventy eighty ninety",
        "second third fourth fifth sixth seventh eighth ninth tenth",
        "hundred thousand million billion",
        "January February March April June July August September October November December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    )
)
_OPPOSITES = """
    increase/decrease increases/decreases increased/decreased rise/fall rises/falls rose/fell more/less higher/lower
    highest/lowest most/least larger/smaller largest/smallest older/younger oldest/youngest longer/shorter longest/shortest
    first/last before/after early/late earlier/later northern/southern eastern/western north/south east/west won/lost
    wins/loses win/lose born/killed began/ended begins/ends opened/closed opens/closes male/female husband/wife
    father/mother brother/sister son/daughter best/worst above/below positive/negative inside/outside major/minor
    public/private always/never accepted/rejected allowed/banned safe/dangerous causes/prevents caused/prevented
    effective/ineffective many/few strong/weak possible/impossible likely/unlikely bought/sold majority/minority cold/hot
    warmer/colder
"""
_NOT = tuple(
    (re.compile(rf"\b{verb}\b(?! not\b)"), f"{verb} not")
    for verb in ("is", "are", "was", "were", "has been", "have been", "can", "will", "should", "could", "did", "does")
)


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for words in (*_SERIES, *(tuple(pair.split("/")) for pair in _OPPOSITES.split())):
        for word in words:
            table[word] = tuple(other for other in words if other != word)
    return table


_REPLACEMENTS = _table()
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_REPLACEMENTS, key=len, reverse=True))})\b")


def alter(text: str, evidence: str, rng: np.random.Generator, other: str = "") -> str | None:
    """``text`` with one detail that ``evidence`` also has replaced by another, so that ``evidence`` speaks against it.

    A detail is a number, a name (capitalised words within a sentence), a month, a weekday, a number word, one of a pair of
    opposites, or whether it is said with "not". The new detail is one of the evidence's own where it has several.

    Args:
        text: a claim that ``evidence`` supports.
        evidence: the sentences that support it.
        rng: makes the choice.
        other: a text to take names from where the evidence has no second one.

    Returns:
        None where there is no such detail.
    """
    kinds: list[Callable[[], str | None]] = [
        lambda: _alter_number(text, evidence, rng),
        lambda: _alter_name(text, evidence, other, rng),
        lambda: _alter_word(text, evidence, rng),
    ]
    for kind in rng.permutation(len(kinds)):
        if (changed := kinds[kind]()) is not None:
            return changed
    return _alter_not(text, rng)  # last, because nearly every sentence allows it


def make_contrast(
    claim: str, evidence: Sequence[str], stance: Stance, rng: np.random.Generator, other: str = ""
) -> tuple[str, tuple[str, ...], Stance] | None:
    """A new claim, its evidence and its stance, made of a labelled claim and its evidence.

    One of: a claim that is supported, altered (refuted); a sentence of the evidence, altered (refuted); that sentence as it is,
    or a clause of it (supported); that sentence with the others as evidence (insufficient). Sentences are used whatever the
    claim's own stance.

    Args:
        claim, evidence, stance: the labelled claim; sentences best first.
        rng: makes the choices.
        other: a text to take names from.

    Returns:
        None where the row offers nothing to make a claim of.
    """
    draw = rng.random()
    if stance is Stance.SUPPORT and draw < 0.3:
        changed = alter(claim, " ".join(evidence), rng, other)
        return None if changed is None else (changed, tuple(evidence), Stance.REFUTE)
    usable = [i for i, sentence in enumerate(evidence) if 5 <= len(sentence.split()) <= 45]
    if not usable:
        return None
    chosen = usable[rng.integers(len(usable))]
    sentence = _clause(evidence[chosen], rng)
    if draw < 0.45:
        changed = alter(sentence, evidence[chosen], rng, other)
        return None if changed is None else (changed, tuple(evidence), Stance.REFUTE)
    if draw < 0.75:
        return sentence, tuple(evidence), Stance.SUPPORT
    if len(evidence) < 3:
        return None
    return sentence, tuple(text for i, text in enumerate(evidence) if i != chosen), Stance.INSUFFICIENT


def _clause(sentence: str, rng: np.random.Generator) -> str:
    """The sentence, or half of the time what stands before one of its commas: what it says as well."""
    plain = re.sub(r"\s*\([^()]*\)", "", sentence) if rng.random() < 0.5 else sentence
    ends = [m.start() for m in re.finditer(r"[,;] ", plain) if len(plain[: m.start()].split()) >= 5]
    if ends and rng.random() < 0.5:
        return plain[: ends[rng.integers(len(ends))]] + "."
    return plain


def _alter_number(text: str, evidence: str, rng: np.random.Generator) -> str | None:
    known = set(_NUMBER.findall(evidence))
    # Of a number with hundreds of digits, infinity as a float, there is no other.
    spans = [m for m in _NUMBER.finditer(text) if m.group() in known and len(m.group()) <= _MOST_DIGITS]
    if not spans:
        return None
    span = spans[rng.integers(len(spans))]
    old = span.group()
    year = _is_year(old)
    elsewhere = sorted(n for n in known if n not in text and _is_year(n) == year)
    if elsewhere and rng.random() < 0.5:
        new = elsewhere[rng.integers(len(elsewhere))]
    else:
        new = _other_number(old, year, rng)
        if new in known:
            return None
    return _replace(text, span, new)


def _replace(text: str, span: re.Match[str], new: str) -> str:
    return text[: span.start()] + new + text[span.end() :]


def _is_year(number: str) -> bool:
    return len(number) == 4 and number.isdigit() and 1000 <= int(number) <= 2100


def _other_number(old: str, year: bool, rng: np.random.Generator) -> str:
    value = float(old.replace(",", ""))
    decimals = len(old.partition(".")[2])
    unit = 10.0**-decimals
    while True:
        if year:
            new = value + rng.integers(1, 30) * rng.choice((-1, 1))
        elif rng.random() < 0.5:
            new = value + unit * rng.integers(1, 10) * rng.choice((-1, 1))
        else:
            new = value * rng.choice((0.1, 0.2, 0.5, 1.5, 2, 3, 10))
        new = max(0.0, new)
        if round(new, decimals) != value:
            return f"{new:,.{decimals}f}" if "," in old else f"{new:.{decimals}f}"


def _names(text: str) -> list[re.Match[str]]:
    """Names within sentences; "COVID-19" and the like go by too many names to be told apart."""
    return [
        m
        for m in _NAME.finditer(text)
        if len(m.group().split()) <= 4
        and not any(c.isdigit() for c in m.group())
        and m.group() not in _REPLACEMENTS
        and not _SENTENCE_START.search(text[: m.start()])
    ]


def _alter_name(text: str, evidence: str, other: str, rng: np.random.Generator) -> str | None:
    # At the start of a sentence any word is capitalised: there a name is what is capitalised elsewhere too.
    inside = {m.group() for m in _names(evidence)}
    spans = [m for m in _NAME.finditer(text) if m.group() in inside]
    if not spans:
        return None
    span = spans[rng.integers(len(spans))]
    words = set(span.group().split())
    # A name that shares a word with one of the claim may be the same one, shortened.
    used = words.union(*(m.group().split() for m in spans))
    for source in (evidence, other) if rng.random() < 0.7 else (other, evidence):
        choices = sorted({m.group() for m in _names(source) if not used & set(m.group().split())})
        if choices:
            return _replace(text, span, choices[rng.integers(len(choices))])
    return None


def _alter_word(text: str, evidence: str, rng: np.random.Generator) -> str | None:
    known = set(_WORD.findall(evidence))
    spans = [m for m in _WORD.finditer(text) if m.group() in known]
    if not spans:
        return None
    span = spans[rng.integers(len(spans))]
    choices = _REPLACEMENTS[span.group()]
    return _replace(text, span, choices[rng.integers(len(choices))])


def _alter_not(text: str, rng: np.random.Generator) -> str | None:
    if " not " in text:
        return text.replace(" not ", " ", 1)
    found = [(m, new) for verb, new in _NOT if (m := verb.search(text))]
    if not found:
        return None
    span, new = found[rng.integers(len(found))]
    return _replace(text, span, new)
