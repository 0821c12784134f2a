"""One made pair of a kind: claim, evidence sentences, stance."""

from collections.abc import Callable
from typing import Any

import numpy as np

from factcheck.labels import Stance
from factcheck.training.facts.changes import make_direction, make_weather
from factcheck.training.facts.events import make_event, make_hedge, make_holder, make_negation, make_parts
from factcheck.training.facts.furniture import furnish
from factcheck.training.facts.quantities import make_double, make_quantity
from factcheck.training.facts.roles import make_comparison, make_role

__all__ = ["KINDS", "make_fact"]

#: Kinds of made pairs with their share of each hundred.
KINDS: dict[str, tuple[Callable[[np.random.Generator], tuple[str, Any, Stance]], float]] = {
    "made-quantity": (make_quantity, 28),
    "made-double": (make_double, 14),
    "made-direction": (make_direction, 6),
    "made-weather": (make_weather, 3),
    "made-role": (make_role, 17),
    "made-comparison": (make_comparison, 5),
    "made-event": (make_event, 14),
    "made-hedge": (make_hedge, 9),
    "made-negation": (make_negation, 7),
    "made-holder": (make_holder, 7),
    "made-parts": (make_parts, 8),
}
_NAMES = tuple(KINDS)
_SHARES = np.array([share for _, share in KINDS.values()]) / sum(share for _, share in KINDS.values())


def make_fact(
    rng: np.random.Generator, furniture: float = 0.15, filler: float = 0.15
) -> tuple[str, str, tuple[str, ...], Stance]:
    """A made pair.

    Args:
        rng: makes every choice.
        furniture: share of the claims that get some (see :func:`factcheck.training.facts.furnish`).
        filler: share of the pairs whose evidence gets one or two sentences about something else.

    Returns:
        Kind, claim, evidence sentences, stance.
    """
    kind = _NAMES[int(rng.choice(len(_NAMES), p=_SHARES))]
    claim, evidence, stance = KINDS[kind][0](rng)
    sentences = [evidence] if isinstance(evidence, str) else list(evidence)
    if rng.random() < filler:
        for _ in range(int(rng.integers(1, 3))):
            sentences.append(make_event(rng)[1])
    if rng.random() < furniture:
        claim = furnish(claim, rng)
    return kind, claim, tuple(sentences), stance
