"""Numbers of a sentence written otherwise, so that it says the same, or with a bound that its number keeps or breaks."""

import math
import re

import numpy as np

from factcheck.training.facts.names import pick
from factcheck.training.facts.numerals import plain, plain3, spell

__all__ = ["bound", "restate"]

# Not within an identifier, a decimal, a date or a range.
_WHOLE = re.compile(r"(?<![\w.,/:–-])(?:\d{1,3}(?:,\d{3})+|\d+)(?![\w/:–-]|[.,]\d)")
_LARGE = re.compile(r"(?<![\w.,-])(\d+(?:\.\d{1,3})?) (thousand|million|billion)\b")
_SCALE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_MONEY = re.compile(r"([$€£])(\d+(?:[.,]\d+)*)(?: (million|billion|trillion))?(?![\w.,]\d)")
_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}
_PERCENT = re.compile(r"(\d) ?(%|percent\b|per cent\b)")
_WORDS = {spell(n): n for n in range(2, 21)} | {spell(n): n for n in range(30, 100, 10)}
_SPELLED = re.compile(
    rf"(?<![\w-])(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?![\w-]| (?:hundred|thousand|million|billion|and a half))"
)
_UNITS = (
    (re.compile(r"(?<=\d )(?:kilometres|kilometers)\b"), "km"),
    (re.compile(r"(?<=\d )km\b"), "kilometres"),
    (re.compile(r"(?<=\d )(?:kilograms|kilos)\b"), "kg"),
    (re.compile(r"(?<=\d )kg\b"), "kilograms"),
    (re.compile(r"(?<=\d )(?:metres|meters)\b"), "m"),
    (re.compile(r"(?<=\d )(?:centimetres|centimeters)\b"), "cm"),
    (re.compile(r"(?<=\d )(?:milligrams)\b"), "mg"),
    (re.compile(r"(?<=\d )mg\b"), "milligrams"),
    (re.compile(r"(?<=\d )miles per hour\b"), "mph"),
)
_THINGS = re.compile(r" (?:[a-z-]+ )?(?:[a-z]{2,}s|people|men|women|children|percent|million|billion)\b")
_BEFORE_BOUND = re.compile(
    r"\b(?:than|over|under|about|around|nearly|almost|least|most|to|and|of|in|since|until|by|from|approximately|some|roughly|between|age|aged|\$|No|number|first|last|chapter|page|season|highway|route)\s*$",
    re.I,
)


def restate(text: str, rng: np.random.Generator) -> str | None:
    """The text with one number, amount, share or unit written in another way that says the same; None where there is none."""
    ways = [_large, _whole, _spelled, _money, _percent, _unit]
    for way in rng.permutation(len(ways)):
        if (made := ways[way](text, rng)) is not None and made != text:
            return made
    return None


def _choose(pattern: re.Pattern[str], text: str, rng: np.random.Generator) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return pick(found, rng) if found else None


def _put(text: str, span: re.Match[str], new: str) -> str:
    if span.start() == 0:
        new = new[0].upper() + new[1:]
    return text[: span.start()] + new + text[span.end() :]


def _large(text: str, rng: np.random.Generator) -> str | None:
    if (span := _choose(_LARGE, text, rng)) is None:
        return None
    value = float(span.group(1)) * _SCALE[span.group(2)]
    if span.start() and text[span.start() - 1] in "$€£":
        return _put(text, span, f"{span.group(1)}{'k' if value < 1e6 else 'm' if value < 1e9 else 'bn'}")
    return _put(text, span, plain(value))


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isdigit() and 1000 <= int(text) <= 2100


def _whole(text: str, rng: np.random.Generator) -> str | None:
    if (span := _choose(_WHOLE, text, rng)) is None or _is_year(span.group()) or len(span.group()) > 15:
        return None
    value = int(span.group().replace(",", ""))
    ways = []
    if value >= 1000:
        ways = [str(value), f"{value:,}"]
        if value >= 10**6 and value % 1000 == 0:
            scale, name = (10**9, "billion") if value >= 10**9 else (10**6, "million")
            ways += [f"{plain3(value / scale)} {name}"] * 2 if round(value / scale, 3) * scale == value else []
        elif value % 1000 == 0:
            ways.append(f"{value // 1000} thousand")
    elif (
        2 <= value <= 20
        and not (span.start() and text[span.start() - 1] in "$€£")
        and text[span.end() : span.end() + 1] != "%"
    ):
        after = text[span.end() :].lstrip()
        if after[:1].islower() and not _ends_month(text[: span.start()]):
            ways = [spell(value)]
    ways = [way for way in ways if way != span.group()]
    return _put(text, span, pick(ways, rng)) if ways else None


def _ends_month(before: str) -> bool:
    return bool(re.search(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z.]* $", before))


def _spelled(text: str, rng: np.random.Generator) -> str | None:
    span = _choose(_SPELLED, text, rng)
    return None if span is None else _put(text, span, str(_WORDS[span.group()]))


def _money(text: str, rng: np.random.Generator) -> str | None:
    if (span := _choose(_MONEY, text, rng)) is None:
        return None
    sign, number, scale = span.groups()
    if number[-1] in ".,":
        return None
    return _put(text, span, f"{number}{f' {scale}' if scale else ''} {_CURRENCY[sign]}")


def _percent(text: str, rng: np.random.Generator) -> str | None:
    if (span := _choose(_PERCENT, text, rng)) is None:
        return None
    form = {"%": (" percent", " per cent"), "percent": ("%", " per cent"), "per cent": ("%", " percent")}[span.group(2)]
    return _put(text, span, span.group(1) + pick(form, rng))


def _unit(text: str, rng: np.random.Generator) -> str | None:
    found = [(span, new) for pattern, new in _UNITS for span in pattern.finditer(text)]
    if not found:
        return None
    span, new = pick(found, rng)
    return _put(text, span, new)


def bound(text: str, rng: np.random.Generator) -> tuple[str, bool] | None:
    """The text with one of its whole numbers from 20 on replaced by a bound.

    Returns:
        The text and whether the number keeps the bound ("more than 500" of 527) or breaks it ("fewer than 500"); None where there
        is no such number.
    """
    spans = [
        span
        for span in _WHOLE.finditer(text)
        if not _is_year(span.group())
        and 20 <= int(span.group().replace(",", "")) < 10**12
        and not _BEFORE_BOUND.search(text[: span.start()])
        and _THINGS.match(text[span.end() :])
        and not (span.start() and text[span.start() - 1] in "$€£#")
        and not _ends_month(text[: span.start()])
    ]
    if not spans:
        return None
    span = pick(spans, rng)
    value = int(span.group().replace(",", ""))
    step = 10 ** (int(math.log10(value)) - (0 if value >= 3 * 10 ** int(math.log10(value)) else 1))
    low, high = (value - 1) // step * step, (value // step + 1) * step
    keeps, above = bool(rng.random() < 0.6), bool(rng.random() < 0.65)
    limit = low if above == keeps else high
    if limit < 2:
        return None
    words = pick(("more than", "over", "at least") if above else ("fewer than", "less than", "under"), rng)
    number = f"{limit:,}" if "," in span.group() or rng.random() < 0.3 else str(limit)
    return _put(text, span, f"{words} {number}"), keeps
