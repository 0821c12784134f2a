"""Which stance each label of somebody else's classifier means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factcheck.errors import InputError
from factcheck.labels import STANCES, Stance

__all__ = ["StanceMap", "stance_map"]

#: Of a two-way head, "not supported": it may be open or refuted, and such a head cannot say which.
NOT_SUPPORT = "not_support"
_ROLES = {stance.value for stance in STANCES} | {NOT_SUPPORT}

_NAMES = {
    "support": """
        entailment entails entail entailed support supports supported supporting true consistent factual yes attributable
        correct
    """,
    "insufficient": """
        neutral insufficient unknown nei not_enough_info not_enough_information not_enough_evidence unverifiable
        undetermined neither
    """,
    "refute": "contradiction contradicts contradict contradicted contradictory refute refutes refuted refuting false",
    NOT_SUPPORT: """
        not_entailment not_entailed non_entailment nonentailment not_support not_supported unsupported not_attributable
        inconsistent hallucinated hallucination no incorrect
    """,
}
_KNOWN = {name: role for role, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class StanceMap:
    """How probabilities of a classifier's labels become probabilities of the three stances.

    Attributes:
        roles: for each output of the classifier ``support``, ``insufficient``, ``refute`` or ``not_support``.
    """

    roles: tuple[str, ...]

    def stances(self, probabilities: np.ndarray) -> np.ndarray:
        """(B, labels) to (B, 3), order of ``labels.STANCES``.

        "Not supported" counts as insufficient: that evidence does not settle the claim is all that such a classifier says.
        """
        columns = [STANCES.index(Stance(role) if role != NOT_SUPPORT else Stance.INSUFFICIENT) for role in self.roles]
        out = np.zeros((len(probabilities), len(STANCES)), probabilities.dtype)
        for column, values in zip(columns, probabilities.T, strict=True):
            out[:, column] += values
        return out


def stance_map(id2label: Mapping[int, str], labels: Mapping[str, str] | None = None) -> StanceMap:
    """The stance of each output of a classifier, by the names in its configuration.

    Args:
        id2label: as transformers' configurations have it: index of an output to its name.
        labels: what a name means where it does not say so itself, ``{"LABEL_1": "support"}``.

    Raises:
        InputError: a name means nothing here, one that is not there is mapped, or support or its opposite is missing.

    >>> stance_map({0: "contradiction", 1: "entailment", 2: "neutral"}).roles
    ('refute', 'support', 'insufficient')
    """
    names = [str(id2label[i]) for i in sorted(id2label, key=int)]
    given = {_plain(name): role for name, role in (labels or {}).items()}
    unknown = given.keys() - {_plain(name) for name in names}
    if unknown:
        raise InputError(
            f"`judge_labels` names {min(unknown)!r}, but the model's labels are {', '.join(names)}",
            field="judge_labels",
        )
    bad = sorted(set(given.values()) - _ROLES)
    if bad:
        raise InputError(
            f"`judge_labels` maps to {bad[0]!r}; expected one of {', '.join(sorted(_ROLES))}", field="judge_labels"
        )
    roles = [given.get(_plain(name)) or _KNOWN.get(_plain(name)) for name in names]
    missing = [name for name, role in zip(names, roles, strict=True) if role is None]
    if missing:
        raise InputError(
            f"the model's labels {', '.join(names)} do not say what they mean ({missing[0]!r} is not a known name)",
            field="judge_labels",
            hint=f"say it with `judge_labels`, for example {missing[0]}=support; the values are {', '.join(sorted(_ROLES))}",
        )
    if "support" not in roles or not {"refute", NOT_SUPPORT} & set(roles):
        raise InputError(
            f"the model's labels {', '.join(names)} cannot tell a supported claim from one that is not",
            field="judge_labels",
            hint="give a model with labels for support and for refute (or not_support)",
        )
    return StanceMap(tuple(role for role in roles if role is not None))


def _plain(name: str) -> str:
    return re.sub(r"[\s\-_/]+", "_", name.strip()).casefold()
