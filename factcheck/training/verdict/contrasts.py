"""Training rows that differ from a supported claim in one number, name or word, after docs/stance.md.

Sets of labelled claims seldom hold two claims that are alike but for the detail that decides. Such pairs can be made from any
sentence that is evidence: with one detail altered it is refuted by itself, unaltered it is supported, and without it among the
evidence nothing is known. With another name in its subject's place it is left open. (After Kryściński et al., "Evaluating
the Factual Consistency of Abstractive Text Summarization",
EMNLP 2020, https://arxiv.org/abs/1910.12840, with details swapped inside the evidence, and the third class, added.)
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.restate import bound, restate

__all__ = ["alter", "make_contrast", "other_subject"]

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
# What happens once: of the same thing another time is a contradiction, of all else another occasion.
_ONCE = re.compile(
    r"\b(?:born|died|founded|established|opened|closed|released|elected|married|published|premiered|began|ended|completed|built|formed|"
    r"created|launched|joined|started|debuted|killed|signed|introduced|became|retired|resigned|abolished|invented|discovered|assassinated|"
    r"independence|dissolved|demolished|destroyed|erected|inaugurated|adopted|ratified|succeeded|birth|death)\b",
    re.IGNORECASE,
)
_TIMES = frozenset(_SERIES[-2] + _SERIES[-1])
# Before a name: relations that have one holder, so that another one contradicts.
_HOLDER = re.compile(
    r"\b(?:(?:born|died|based|headquartered|located|buried|held|situated|raised) (?:in|at|near)|(?:directed|written"
    r"|founded|created|composed|"
    r"designed|painted|owned|invented|discovered|produced|built|won|published|played|portrayed|hosted|developed|acquired|beaten|defeated|"
    r"succeeded|killed|assassinated|voiced|opened|launched|established|edited|sung|recorded) by|(?:capital|capital city"
    r"|president|king|queen|"
    r"prime minister|author|director|founder|son|daughter|wife|husband|father|mother|mayor|county|city|part) (?:of|is"
    r"|was)|(?:stars|starring|"
    r"named|called|succeeded|replaced|married|defeated|beat)) (?:the )?$"
)
_VERB = re.compile(
    r"(?: \([^()]*\))?,? (?:is|are|was|were|has|have|had|will|would|can|could|did|does|said|won|became|began|made|went"
    r"|took|[a-z]+ed|[a-z]{3,}s)\b"
)
_NO_NAME = frozenset(
    "The A An In On At It He She They This That These Those There His Her Its Their After Before When While As For From By With And But "
    "However During Since Some Many Most All Two Three Four Five One First If Although Although".split()
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

    A detail is a number, a name behind a relation with one holder ("born in", "directed by"), a number word, one of a pair of
    opposites, or whether it is said with "not"; of what happens once ("opened", "died"), also the year, month or weekday. The new
    detail is one of the evidence's own where it has several.

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
    # Last, because nearly every sentence allows it, and not always: "not" must not come to mean "refuted".
    return _alter_not(text, rng) if rng.random() < 0.5 else None


def make_contrast(
    claim: str, evidence: Sequence[str], stance: Stance, rng: np.random.Generator, other: str = ""
) -> tuple[str, tuple[str, ...], Stance] | None:
    """A new claim, its evidence and its stance, made of a labelled claim and its evidence.

    One of: a claim that is supported, altered (refuted), restated (supported) or said of somebody else (insufficient); the same of a
    sentence of the evidence; that sentence as it is, or a clause of it (supported); that sentence with the others as evidence
    (insufficient). Sentences are used whatever the claim's own stance.

    Args:
        claim, evidence, stance: the labelled claim; sentences best first.
        rng: makes the choices.
        other: a text to take names from.

    Returns:
        None where the row offers nothing to make a claim of.
    """
    draw = rng.random()
    if stance is Stance.SUPPORT and draw < 0.35:
        return _changed(claim, evidence, " ".join(evidence), other, rng)
    usable = [i for i, sentence in enumerate(evidence) if 5 <= len(sentence.split()) <= 45]
    if not usable:
        return None
    chosen = usable[rng.integers(len(usable))]
    sentence = _clause(evidence[chosen], rng)
    if draw < 0.6:
        return _changed(sentence, evidence, evidence[chosen], other, rng)
    if draw < 0.8:
        return sentence, tuple(evidence), Stance.SUPPORT
    if len(evidence) < 3:
        return None
    return sentence, tuple(text for i, text in enumerate(evidence) if i != chosen), Stance.INSUFFICIENT


def _changed(
    text: str, evidence: Sequence[str], source: str, other: str, rng: np.random.Generator
) -> tuple[str, tuple[str, ...], Stance] | None:
    """A supported text with one detail altered, written otherwise, bounded, or said of somebody else."""
    draw = rng.random()
    if draw < 0.25 and (same := restate(text, rng)) is not None:
        return same, tuple(evidence), Stance.SUPPORT
    if draw < 0.4 and (bounded := bound(text, rng)) is not None:
        return bounded[0], tuple(evidence), Stance.SUPPORT if bounded[1] else Stance.REFUTE
    if 0.4 <= draw < 0.6 and (moved := other_subject(text, " ".join(evidence), other, rng)) is not None:
        return moved, tuple(evidence), Stance.INSUFFICIENT
    changed = alter(text, source, rng, other)
    return None if changed is None else (changed, tuple(evidence), Stance.REFUTE)


def other_subject(text: str, evidence: str, other: str, rng: np.random.Generator) -> str | None:
    """``text`` with the name it begins with replaced by one of ``other`` that ``evidence`` does not hold: who did it is another matter.

    None where it begins with no name, or there is no other one.
    """
    found = _NAME.match(text)
    if found is None or found.group().split()[0] in _NO_NAME or not _VERB.match(text[found.end() :]):
        return None
    if len(found.group().split()) < 2 and found.group() not in {m.group() for m in _names(evidence)}:
        return None
    choices = sorted(
        {
            m.group()
            for m in _names(other)
            if m.group() not in evidence and not set(m.group().split()) & set(found.group().split())
        }
    )
    return choices[rng.integers(len(choices))] + text[found.end() :] if choices else None


def _clause(sentence: str, rng: np.random.Generator) -> str:
    """The sentence, or half of the time what stands before one of its commas: what it says as well."""
    plain = re.sub(r"\s*\([^()]*\)", "", sentence) if rng.random() < 0.5 else sentence
    ends = [m.start() for m in re.finditer(r"[,;] ", plain) if len(plain[: m.start()].split()) >= 5]
    if ends and rng.random() < 0.5:
        return plain[: ends[rng.integers(len(ends))]] + "."
    return plain


def _alter_number(text: str, evidence: str, rng: np.random.Generator) -> str | None:
    known = set(_NUMBER.findall(evidence))
    once = _ONCE.search(text) is not None
    # Of a number with hundreds of digits, infinity as a float, there is no other.
    spans = [
        m
        for m in _NUMBER.finditer(text)
        if m.group() in known and len(m.group()) <= _MOST_DIGITS and (once or not _is_year(m.group()))
    ]
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
    spans = [m for m in _NAME.finditer(text) if m.group() in inside and _HOLDER.search(text[: m.start()])]
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
    once = _ONCE.search(text) is not None
    spans = [m for m in _WORD.finditer(text) if m.group() in known and (once or m.group() not in _TIMES)]
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
