"""The label map, defined once.

Source of the five classes: Factify 2 (arXiv 2304.03897). A class is a stance (does the evidence support, refute or not
decide the claim?) together with an image relation (do both sides show the same photo?); ``Refute`` has no image relation.
"""

from collections.abc import Iterable
from enum import StrEnum

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
_BY_NAME: dict[str, FactifyLabel | Stance] = {
    **{stance.value: stance for stance in STANCES},
    **{label.value.casefold(): label for label in FACTIFY_LABELS},
}
# "Refute" is a stance and a class; a five-class name always wins so that Factify rows keep all their supervision.
_BY_NAME["refute"] = FactifyLabel.REFUTE
# FEVER's names (arXiv 1803.05355), and SciFact's, which has photos on no side either.
_BY_NAME |= {
    "supports": Stance.SUPPORT,
    "refutes": Stance.REFUTE,
    "contradict": Stance.REFUTE,
    "not enough info": Stance.INSUFFICIENT,
    "nei": Stance.INSUFFICIENT,
}


def parse_label(text: str) -> FactifyLabel | Stance:
    """The label that ``text`` names, whatever its case: a five-class name or a bare stance, also as FEVER writes it.

    Raises:
        InputError: ``text`` names no label.
    """
    try:
        return _BY_NAME[text.strip().casefold()]
    except KeyError:
        known = ", ".join(dict.fromkeys([*FACTIFY_LABELS, *STANCE_LABELS.values()]))
        fever = "SUPPORTS, REFUTES, NOT ENOUGH INFO"
        raise InputError(f"unknown label {text!r}; expected one of {known} (or FEVER's {fever})") from None


def five_class_labels(labels: Iterable[FactifyLabel | Stance | None]) -> list[FactifyLabel | None]:
    """Of the labels of one table, those that are of the five classes; None in the place of any other.

    A bare ``Refute`` is spelled like a class and like a stance: it is a class where another of the table's labels can be
    nothing else, and a stance in a table of stances.

    Args:
        labels: every label of the table, as :func:`parse_label` gives them; None where a row has none.
    """
    found = [label if isinstance(label, FactifyLabel) else None for label in labels]
    return found if any(label not in (None, FactifyLabel.REFUTE) for label in found) else [None] * len(found)


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
