"""What is imported when it is first used, so that importing a package stays cheap: its public names, and optional packages."""

import importlib.util
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from retrieval.errors import InputError

__all__ = ["import_extra", "lazy_names", "need_extra"]


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


def need_extra(extra: str, *modules: str, what: str, field: str | None = None) -> None:
    """Refuse what needs packages of one of this distribution's extras that are not installed; imports none of them.

    Args:
        extra: the extra's name.
        modules: what is imported of it.
        what: what needs them, as the message begins.
        field: the parameter that asked for it.

    Raises:
        InputError: names the packages that are missing.
    """
    missing = [module for module in modules if importlib.util.find_spec(module.partition(".")[0]) is None]
    if missing:
        packages = " and ".join(module.partition(".")[0].replace("_", "-") for module in missing)
        one = len(missing) == 1
        raise InputError(
            f"{what} needs the package{'' if one else 's'} {packages}, which {'is' if one else 'are'} not installed",
            field=field,
            hint=f"run: pip install 'factcheck-twins[{extra}]'",
        )


def import_extra(module: str, extra: str, what: str, field: str | None = None) -> Any:
    """A module that comes with one of this distribution's extras.

    Raises:
        InputError: its package is not installed; see :func:`need_extra`.
    """
    need_extra(extra, module, what=what, field=field)
    return import_module(module)
