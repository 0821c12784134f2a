"""Twins vision transformers (arXiv 2104.13840) on locally-grouped self-attention: networks, weights, CPU runtimes, attention maps.

Importing this package imports torch and timm, and registers the networks with timm:
``timm.create_model("factcheck_twins_svt_small")``.
"""

from factcheck.twins.attention_maps import attention_maps
from factcheck.twins.lsa import LocallyGroupedSelfAttention, lsa_flops
from factcheck.twins.overlays import attention_overlay
from factcheck.twins.runtime import optimize
from factcheck.twins.twins import Twins
from factcheck.twins.variants import (
    create_twins,
    twins_pcpvt_base,
    twins_pcpvt_large,
    twins_pcpvt_small,
    twins_svt_base,
    twins_svt_large,
    twins_svt_small,
    twins_svt_tiny,
)
from factcheck.twins.weights import load_twins_weights

__all__ = [
    "LocallyGroupedSelfAttention",
    "Twins",
    "attention_maps",
    "attention_overlay",
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
