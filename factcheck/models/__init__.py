"""Neural networks: Twins vision transformers, the text transformer and the fusion of both."""

from retrieval.lazy import lazy_names

_HOMES = {
    "LocallyGroupedSelfAttention": "lsa",
    "Twins": "twins",
    "attention_maps": "attention",
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
# These modules import torch.
__getattr__ = lazy_names(__name__, _HOMES)
