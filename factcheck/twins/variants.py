"""The published sizes of Twins, a small one for two CPU cores, and their registration with timm.

Importing this module makes ``timm.create_model("factcheck_twins_svt_small")`` and its siblings work.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import timm
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from factcheck.errors import InputError
from factcheck.twins.twins import Twins
from factcheck.twins.weights import REFERENCE_NAMES, load_twins_weights
from retrieval.arguments import checked_choice
from retrieval.errors import first_line

__all__ = [
    "VARIANTS",
    "create_twins",
    "twins_pcpvt_base",
    "twins_pcpvt_large",
    "twins_pcpvt_small",
    "twins_svt_base",
    "twins_svt_large",
    "twins_svt_small",
    "twins_svt_tiny",
]


def _svt(width: int, heads: int, depths: tuple[int, ...], window: int = 7) -> dict[str, Any]:
    return {
        "embed_dims": tuple(width * 2**k for k in range(4)),
        "num_heads": tuple(heads * 2**k for k in range(4)),
        "depths": depths,
        "windows": (window,) * 4,
    }


def _pcpvt(depths: tuple[int, ...]) -> dict[str, Any]:
    return {
        "embed_dims": (64, 128, 320, 512),
        "num_heads": (1, 2, 5, 8),
        "mlp_ratios": (8, 8, 4, 4),
        "depths": depths,
        "windows": None,
    }


VARIANTS: dict[str, dict[str, Any]] = {
    # 64 pixels give maps of 16, 8, 4 and 2 tokens a side: windows of 8 divide the first two and hold the others whole
    "twins_svt_tiny": _svt(32, 1, (1, 1, 2, 1), window=8),
    "twins_svt_small": _svt(64, 2, (2, 2, 10, 4)),
    "twins_svt_base": _svt(96, 3, (2, 2, 18, 2)),
    "twins_svt_large": _svt(128, 4, (2, 2, 18, 2)),
    "twins_pcpvt_small": _pcpvt((3, 4, 6, 3)),
    "twins_pcpvt_base": _pcpvt((3, 4, 18, 3)),
    "twins_pcpvt_large": _pcpvt((3, 8, 27, 3)),
}
"""Settings of :class:`Twins` for each variant by name."""


def create_twins(name: str, weights: str | Path | Mapping[str, object] | None = None, **settings: Any) -> Twins:
    """A Twins network.

    Args:
        name: one of :data:`VARIANTS`, or the reference implementation's name for it (``alt_gvt_small`` ...).
        weights: None for fresh ones; ``"timm"`` or ``"timm/<variant>.in1k"`` to have timm's loader fetch the
            published ImageNet-1k weights; else a checkpoint for :func:`load_twins_weights`.
        settings: arguments of :class:`Twins` that replace the variant's.

    Raises:
        InputError: unknown name or setting, no published weights, or weights that do not fit.
    """
    name = REFERENCE_NAMES.get(name, name)
    checked_choice("name", name, VARIANTS)
    settings = {**VARIANTS[name], **settings}
    unknown = set(settings) - set(inspect.signature(Twins).parameters)
    if unknown:
        raise InputError(f"{name}: unknown settings {sorted(unknown)}: see the arguments of Twins")
    if weights in ("timm", f"timm/{name}.in1k"):
        if name == "twins_svt_tiny":
            raise InputError("twins_svt_tiny has no published timm weights: choose another variant or give a file")
        try:
            return cast(Twins, timm.create_model(f"factcheck_{name}.in1k", pretrained=True, **settings))
        except OSError as error:  # what the hub's client raises offline
            raise InputError(
                f"timm's weights of {name} could not be fetched: {first_line(error)} (offline, only weights in the local Hugging Face "
                "cache and files can be used)"
            ) from error
    if isinstance(weights, str) and weights.startswith("timm/"):
        raise InputError(f"{weights!r} are not weights of {name}: pass 'timm/{name}.in1k'")
    model = Twins(**settings)
    return model if weights is None else load_twins_weights(model, weights)


def twins_svt_tiny(**settings: Any) -> Twins:
    """Twins-SVT tiny, made for two CPU cores; native input 64 x 64 pixels."""
    return create_twins("twins_svt_tiny", **settings)


def twins_svt_small(**settings: Any) -> Twins:
    """Twins-SVT-S: 24 M parameters, 2.9 G multiply-adds at 224 x 224, 81.7 ImageNet top-1 as published."""
    return create_twins("twins_svt_small", **settings)


def twins_svt_base(**settings: Any) -> Twins:
    """Twins-SVT-B: 56 M parameters, 8.6 G multiply-adds at 224 x 224, 83.2 ImageNet top-1 as published."""
    return create_twins("twins_svt_base", **settings)


def twins_svt_large(**settings: Any) -> Twins:
    """Twins-SVT-L: 99.2 M parameters, 15.1 G multiply-adds at 224 x 224, 83.7 ImageNet top-1 as published."""
    return create_twins("twins_svt_large", **settings)


def twins_pcpvt_small(**settings: Any) -> Twins:
    """Twins-PCPVT-S: GSA throughout."""
    return create_twins("twins_pcpvt_small", **settings)


def twins_pcpvt_base(**settings: Any) -> Twins:
    """Twins-PCPVT-B: GSA throughout."""
    return create_twins("twins_pcpvt_base", **settings)


def twins_pcpvt_large(**settings: Any) -> Twins:
    """Twins-PCPVT-L: GSA throughout."""
    return create_twins("twins_pcpvt_large", **settings)


def _pretrained_cfg(name: str) -> dict[str, Any]:
    side = 64 if name == "twins_svt_tiny" else 224
    cfg = {
        "num_classes": 1000,
        "input_size": (3, side, side),
        "min_input_size": (3, 32, 32),
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": "patch_embeds.0.proj",
        "classifier": "head",
        "license": "apache-2.0",
    }
    return cfg if name == "twins_svt_tiny" else {**cfg, "hf_hub_id": f"timm/{name}.in1k"}


default_cfgs = generate_default_cfgs(
    {f"factcheck_{n}" + ("" if n == "twins_svt_tiny" else ".in1k"): _pretrained_cfg(n) for n in VARIANTS}
)


def _register(name: str) -> None:
    def entrypoint(pretrained: bool = False, **settings: Any) -> Twins:
        if settings.get("feature_cls", "getter") != "getter":
            raise InputError(
                f"feature_cls {settings['feature_cls']!r}: stages are not modules that could be hooked; leave feature_cls out, "
                "and maps come from forward_intermediates"
            )
        return build_model_with_cfg(
            Twins,
            f"factcheck_{name}",
            pretrained,
            feature_cfg={"out_indices": settings.pop("out_indices", 4), "feature_cls": "getter"},
            **{**VARIANTS[name], **settings},
        )

    entrypoint.__name__ = entrypoint.__qualname__ = f"factcheck_{name}"
    entrypoint.__doc__ = f"{name} of this package, for :func:`timm.create_model`."
    register_model(entrypoint)
    globals()[entrypoint.__name__] = entrypoint


for _name in VARIANTS:
    _register(_name)
