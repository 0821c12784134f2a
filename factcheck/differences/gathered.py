"""The evidence of a claim as a whole: what its sentences say, by kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.differences.reading import Reading
from factcheck.differences.records import Kind, Value
from factcheck.differences.roles import Role

__all__ = ["Gathered", "gather"]

#: Values of a kind, names and relations that are looked at in all sentences together, so that no text takes long.
_MOST = 256


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a claim is held against.

    Attributes:
        readings: the sentences.
        values: by kind, each with the number of its sentence.
        names, roles: likewise.
        words: stems of all sentences.
    """

    readings: Sequence[Reading]
    values: dict[Kind, list[tuple[int, Value]]]
    names: list[tuple[int, Value]]
    roles: list[tuple[int, Role]]
    words: frozenset[str]


def gather(readings: Sequence[Reading]) -> Gathered:
    """The evidence that the readings of its sentences make."""
    values: dict[Kind, list[tuple[int, Value]]] = {}
    names: list[tuple[int, Value]] = []
    roles: list[tuple[int, Role]] = []
    for s, reading in enumerate(readings):
        for value in reading.values:
            if len(of_kind := values.setdefault(value.kind, [])) < _MOST:
                of_kind.append((s, value))
        if len(names) < _MOST:
            names += [(s, name) for name in reading.names]
        if len(roles) < _MOST:
            roles += [(s, role) for role in reading.roles]
    return Gathered(readings, values, names, roles, frozenset().union(*(reading.words for reading in readings)))
