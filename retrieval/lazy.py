"""What is imported when it is first used, so that importing a package stays cheap: its public names, and optional packages."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from retrieval.errors import InputError

__all__ = ["import_extra", "lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The module-level ``__getattr__`` and ``__dir__`` (PEP 562) of a package whose public names live in its modules.

    The package imports the same names under ``TYPE_CHECKING``, so that editors and type checkers know what they are.

    Args:
        package: the package's ``__name__``.
        homes: public name to the module that defines it, relative to the package (``{"open_index": ".search.search"}``)
            or absolute where the home is elsewhere.

    Returns:
        A function of a name, which gives the object or raises :class:`AttributeError`; and one that lists the names.
    """

    def find(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name], package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *homes})

    return find, names


def import_extra(module: str, extra: str) -> Any:
    """A module that comes with one of this distribution's extras.

    Raises:
        InputError: its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0].replace("_", "-")
        raise InputError(
            f"the package {package} is not installed", hint=f"run: pip install 'factcheck-twins[{extra}]'"
        ) from None
