"""Groups of settings and checkpoints: dataclasses in Python, dictionaries of plain values in a file, which load without running code."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar

__all__ = ["group_of", "plain_settings"]

_Group = TypeVar("_Group")


def group_of(kind: type[_Group], value: Any) -> _Group:
    """The group of settings that ``value`` is, or that a checkpoint holds as a mapping."""
    return kind(**value) if isinstance(value, Mapping) else value


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Hyper-parameters with their groups as dictionaries, as checkpoints hold them."""
    return {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in settings.items()
    }
