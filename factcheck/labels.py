"""The label map, defined once.

Source of the five classes: Factify 2 (arXiv 2304.03897). A class is a stance (does the evidence support, refute or not
decide the claim?) together with an image relation (do both sides show the same photo?); ``Refute`` has no image relation.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache

from factcheck.errors import InputError

__all__ = [
    "FACTIFY_LABELS",
    "IMAGE_RELATIONS",
    "STANCES",
    "STANCE_LABELS",
    "FactifyLabel",
    "ImageRelation",
    "Stance",
    "compose_label",
    "five_class_labels",
    "label_names",
    "parse_label",
    "relation_of",
    "stance_of",
]


class Stance(StrEnum):
    """What the evidence says of the claim."""

    SUPPORT = "support"
    INSUFFICIENT = "insufficient"
    REFUTE = "refute"


class ImageRelation(StrEnum):
    """Whether claim and document show the same photo."""

    AGREE = "agree"
    DIFFER = "differ"


class FactifyLabel(StrEnum):
    """The five classes of Factify 2, spelled as in its files."""

    SUPPORT_MULTIMODAL = "Support_Multimodal"
    SUPPORT_TEXT = "Support_Text"
    INSUFFICIENT_MULTIMODAL = "Insufficient_Multimodal"
    INSUFFICIENT_TEXT = "Insufficient_Text"
    REFUTE = "Refute"


#: Order of the logits of each head, and of the probability structs in a verdict table.
STANCES: tuple[Stance, ...] = tuple(Stance)
IMAGE_RELATIONS: tuple[ImageRelation, ...] = tuple(ImageRelation)
FACTIFY_LABELS: tuple[FactifyLabel, ...] = tuple(FactifyLabel)

#: How a stance is written in the verdict table's ``label`` column when a row has no image pair.
STANCE_LABELS: dict[Stance, str] = {
    Stance.SUPPORT: "Support",
    Stance.INSUFFICIENT: "Insufficient",
    Stance.REFUTE: "Refute",
}

_PARTS: dict[FactifyLabel, tuple[Stance, ImageRelation | None]] = {
    FactifyLabel.SUPPORT_MULTIMODAL: (Stance.SUPPORT, ImageRelation.AGREE),
    FactifyLabel.SUPPORT_TEXT: (Stance.SUPPORT, ImageRelation.DIFFER),
    FactifyLabel.INSUFFICIENT_MULTIMODAL: (Stance.INSUFFICIENT, ImageRelation.AGREE),
    FactifyLabel.INSUFFICIENT_TEXT: (Stance.INSUFFICIENT, ImageRelation.DIFFER),
    FactifyLabel.REFUTE: (Stance.REFUTE, None),
}
_LABEL_OF = {parts: label for label, parts in _PARTS.items()}
#: Names that data sets give to stances, as :func:`_folded` has them. Deliberately not among them, as they are no stance of one kind:
#: half-true, mostly-true and barely-true (LIAR), mixture, disputed, conflicting evidence or cherry-picking. Whoever reads a table with
#: such names says what they are to count as.
_STANCE_NAMES: dict[Stance, tuple[str, ...]] = {
    Stance.SUPPORT: (
        *("support", "supports", "supported"),  # FEVER (arXiv 1803.05355), SciFact (2004.14974), AVeriTeC (2305.13117)
        *("entailment", "entails", "entailed"),  # SNLI (1508.05326), MultiNLI (1704.05426)
        *("true", "real"),  # LIAR (1705.00648), PubHealth (2010.09926), VERITE (2304.14133), FakeNewsNet (1809.01286)
    ),
    Stance.INSUFFICIENT: (
        *("insufficient", "nei", "not enough info", "not enough information", "not enough evidence"),
        *("neutral", "unproven"),  # SNLI, HealthVer (2021.findings-emnlp.297); PubHealth
    ),
    Stance.REFUTE: (
        *("refutes", "refuted", "contradict", "contradicts", "contradicted", "contradiction"),
        *("false", "fake", "pants fire", "pants on fire"),
        *("miscaptioned", "out of context"),  # VERITE
    ),
}
_SEPARATORS = re.compile(r"[\s_/-]+")


@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    """A name without regard to case, and with one space for spaces, hyphens, underscores and slashes."""
    return _SEPARATORS.sub(" ", name).strip().casefold()


_BY_NAME: dict[str, FactifyLabel | Stance] = {
    **{name: stance for stance, names in _STANCE_NAMES.items() for name in names},
    # "Refute" is a stance and a class; a five-class name always wins so that Factify rows keep all their supervision.
    **{_folded(label.value): label for label in FACTIFY_LABELS},
}


def parse_label(text: str, names: Mapping[str, "FactifyLabel | Stance"] | None = None) -> FactifyLabel | Stance:
    """The label that ``text`` names: one of the five classes, a stance, or what a well-known data set calls one.

    Case does not count, nor whether words are separated by spaces, hyphens or underscores.

    Args:
        text: the name.
        names: further names, as :func:`label_names` makes them; they come first.

    Raises:
        InputError: ``text`` names no label.
    """
    folded = _folded(text)
    found = (names or {}).get(folded) or _BY_NAME.get(folded)
    if found is None:
        known = ", ".join(dict.fromkeys([*FACTIFY_LABELS, *STANCE_LABELS.values()]))
        raise InputError(
            f"unknown label {text!r}; expected one of {known} (or what FEVER, SciFact, AVeriTeC and others call them)",
            field="labels",
            hint="say with `labels` what it counts as, as in half-true=insufficient",
        )
    return found


def label_names(mapping: Mapping[str, str] | None) -> dict[str, FactifyLabel | Stance]:
    """``{"mixture": "insufficient"}`` as :func:`parse_label` takes it.

    Raises:
        InputError: a name is mapped to what is no label.
    """
    names = {}
    for name, label in (mapping or {}).items():
        try:
            names[_folded(name)] = parse_label(label)
        except InputError:
            wanted = ", ".join([*STANCES, *FACTIFY_LABELS])
            raise InputError(
                f"`labels`: {name!r} is mapped to {label!r}, expected one of {wanted}", field="labels"
            ) from None
    return names


def five_class_labels(
    labels: Iterable[FactifyLabel | Stance | None], pairs: Iterable[bool]
) -> list[FactifyLabel | None]:
    """Of the labels of one table, those that are of the five classes; None in the place of any other.

    One name is spelled like a class and like a stance: ``Refute``. It is a class where another label of its table can be nothing
    else and its row names an image on both sides, whether or not they can be read; a stance elsewhere. Where no row of the
    table names two images (a table of labels alone), the other labels decide. Scoring, training and calibration all go by this.

    Args:
        labels: every label of the table, as :func:`parse_label` gives them; None where a row has none.
        pairs: whether each row names images on both sides.
    """
    labels, pairs = list(labels), list(pairs)
    are_classes = any(isinstance(label, FactifyLabel) and label is not FactifyLabel.REFUTE for label in labels)
    without_images = not any(pairs)
    return [
        label
        if isinstance(label, FactifyLabel)
        and (label is not FactifyLabel.REFUTE or (are_classes and (pair or without_images)))
        else None
        for label, pair in zip(labels, pairs, strict=True)
    ]


def stance_of(label: FactifyLabel | Stance) -> Stance:
    """The stance part of a label."""
    return label if isinstance(label, Stance) else _PARTS[label][0]


def relation_of(label: FactifyLabel | Stance) -> ImageRelation | None:
    """The image relation of a label; None for ``Refute`` and for a bare stance."""
    return None if isinstance(label, Stance) else _PARTS[label][1]


def compose_label(stance: Stance, relation: ImageRelation | None) -> FactifyLabel:
    """The five-class label made of both parts; the relation is ignored for ``refute`` (it has one class).

    Raises:
        InputError: the stance needs an image relation and ``relation`` is None.
    """
    parts = (stance, None if stance is Stance.REFUTE else relation)
    if parts not in _LABEL_OF:
        raise InputError(f"stance {stance.value!r} needs an image relation to name one of the five classes, found None")
    return _LABEL_OF[parts]
