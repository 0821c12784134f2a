"""Numbers as people write them: digits with or without separators, words, magnitudes, dozens, fractions."""

import numpy as np

__all__ = ["fraction", "plain", "spell", "write_count", "written"]

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion", "tn"), (10**9, "billion", "bn"), (10**6, "million", "m"))
_FRACTIONS = {
    50: ("half", "one half"),
    25: ("a quarter", "one quarter", "one in four"),
    75: ("three quarters", "three-quarters", "three in four"),
    20: ("a fifth", "one fifth", "one in five"),
    40: ("two fifths", "two in five"),
    60: ("three fifths", "three in five"),
    80: ("four fifths", "four in five"),
    10: ("a tenth", "one tenth", "one in ten"),
    30: ("three tenths", "three in ten"),
    90: ("nine tenths", "nine in ten"),
}


def spell(number: int) -> str:
    """``number`` below a million in English words."""
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return _TENS[tens] + (f"-{_UNITS[units]}" if units else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_UNITS[hundreds]} hundred" + (f" and {spell(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    return f"{spell(thousands)} thousand" + (f" {'and ' if rest < 100 else ''}{spell(rest)}" if rest else "")


def plain(value: float) -> str:
    """Digits with thousands separators and no more decimals than it has (two at most)."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def written(value: float, rng: np.random.Generator, *, short: bool = False) -> str:
    """``value`` ≥ 0 in one of the ways that keep it: each call may choose another one.

    Args:
        value: what is written.
        rng: makes the choice.
        short: also allow "2bn" and "1.5m" (as after a currency sign).
    """
    ways = [plain(value)]
    if value >= 1000 and value == int(value):
        ways.append(str(int(value)))
    for scale, name, letter in _SCALES:
        share = value / scale
        if share >= 0.1 and round(share, 3) == round(share, 9) and value >= scale * 0.1:
            if share >= 1:
                ways += [f"{plain3(share)} {name}"] * 2
                if share == int(share) and share < 100:
                    ways.append(f"{spell(int(share))} {name}")
                if share % 1 == 0.5 and share < 20:
                    ways.append(f"{spell(int(share))} and a half {name}")
                if short:
                    ways += [f"{plain3(share)}{letter}"] * 2
            elif share in (0.5, 0.25):
                ways.append(f"{'half' if share == 0.5 else 'a quarter of'} a {name}")
            break
    if value == int(value) and 10**3 <= value < 10**6 and value % 1000 == 0:
        ways += [f"{int(value) // 1000} thousand", f"{spell(int(value) // 1000)} thousand"]
    if value == int(value) and (value < 100 or (value < 1000 and value % 50 == 0)):
        ways += [spell(int(value))] * 2
    return ways[int(rng.integers(len(ways)))]


def plain3(value: float) -> str:
    """Digits with up to three decimals."""
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def write_count(value: int, rng: np.random.Generator) -> str:
    """A number of things, also as dozens: "24", "twenty-four", "two dozen"."""
    if value % 12 == 0 and value <= 60 and rng.random() < 0.5:
        return "a dozen" if value == 12 else f"{spell(value // 12)} dozen"
    if value == 6 and rng.random() < 0.2:
        return "half a dozen"
    return written(value, rng)


def fraction(percent: int, rng: np.random.Generator) -> str | None:
    """A share in words, None where there is no short one."""
    ways = _FRACTIONS.get(percent)
    return None if ways is None else ways[int(rng.integers(len(ways)))]
