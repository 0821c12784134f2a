"""Our networks under their names in timm's registry, without importing timm for those who never ask for it."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["register_with_timm"]

_VARIANTS = "factcheck.models.twins_variants"  # registers when it is imported


def register_with_timm() -> None:
    """Make ``timm.create_model("factcheck_twins_svt_small")`` and its siblings work, now or as soon as timm is imported.

    timm has no entry points for other packages' models, and importing it takes seconds. So the first import of timm after
    this call, wherever it happens, is followed by the import of the module that registers.
    """
    if "timm" in sys.modules:
        importlib.import_module(_VARIANTS)
    elif not any(isinstance(finder, _AfterTimm) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterTimm())


class _AfterTimm:
    """A finder that finds timm where it is, once, and has our networks registered after it has run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "timm":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader)
        return spec


class _RegisteringLoader:
    """timm's loader, and then ours."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # As if we had never been here, for whoever asks the module for its loader (resources, pickles, reloads).
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if not any(_half_imported(name) for name in list(sys.modules)):
            importlib.import_module(_VARIANTS)


def _half_imported(name: str) -> bool:
    """Whether a module of ours is being imported, and imports timm itself: the registering one would need it whole."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return name.startswith("factcheck.models.") and bool(getattr(spec, "_initializing", False))
