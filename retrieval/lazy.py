"""Names of a package that are imported when they are first used, so that importing the package stays cheap."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The module-level ``__getattr__`` (PEP 562) of a package whose public names live in its modules.

    Args:
        package: the package's ``__name__``.
        homes: public name to the module that defines it, relative to the package: ``{"open_index": "search"}``.

    Returns:
        A function of a name: the object, or :class:`AttributeError` for any other name.
    """

    def find(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
