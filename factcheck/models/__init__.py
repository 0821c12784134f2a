"""Neural networks: Twins vision transformers, the text transformer and the fusion of both."""

from importlib import import_module
from typing import Any

_HOMES = {
    "LocallyGroupedSelfAttention": "lsa",
    "Twins": "twins",
    "create_twins": "twins_variants",
    "load_twins_weights": "twins_weights",
    "lsa_flops": "lsa",
    "optimize": "runtime",
    "twins_pcpvt_base": "twins_variants",
    "twins_pcpvt_large": "twins_variants",
    "twins_pcpvt_small": "twins_variants",
    "twins_svt_base": "twins_variants",
    "twins_svt_large": "twins_variants",
    "twins_svt_small": "twins_variants",
    "twins_svt_tiny": "twins_variants",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # Lazy, because these modules import torch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
