"""Neural networks: the verdict model with its text and image encoders, and the Twins networks of :mod:`factcheck.twins`."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.twins import (
        LocallyGroupedSelfAttention,
        Twins,
        attention_maps,
        create_twins,
        load_twins_weights,
        lsa_flops,
        optimize,
        twins_pcpvt_base,
        twins_pcpvt_large,
        twins_pcpvt_small,
        twins_svt_base,
        twins_svt_large,
        twins_svt_small,
        twins_svt_tiny,
    )

__all__ = [
    "LocallyGroupedSelfAttention",
    "Twins",
    "attention_maps",
    "create_twins",
    "load_twins_weights",
    "lsa_flops",
    "optimize",
    "twins_pcpvt_base",
    "twins_pcpvt_large",
    "twins_pcpvt_small",
    "twins_svt_base",
    "twins_svt_large",
    "twins_svt_small",
    "twins_svt_tiny",
]

# Here for those who look for networks among the models; their home is factcheck.twins.
__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "factcheck.twins"))
