"""Weights for Twins: timm's and the reference implementation's checkpoints, from a file, a hub id or a state dict.

Our parameters carry timm's names, and timm kept those of the reference code (github.com/Meituan-AutoML/Twins), so
no tensor is ever transformed. What differs is the wrapping: training checkpoints keep the weights under a key,
parallel training and detectors put a prefix before each name, detectors add a norm for each stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from factcheck.errors import InputError
from factcheck.twins.twins import Twins
from factcheck.weights import load_plain

__all__ = ["REFERENCE_NAMES", "load_twins_weights", "unwrap_checkpoint"]

REFERENCE_NAMES = {
    "alt_gvt_small": "twins_svt_small",
    "alt_gvt_base": "twins_svt_base",
    "alt_gvt_large": "twins_svt_large",
    "pcpvt_small_v0": "twins_pcpvt_small",
    "pcpvt_base_v0": "twins_pcpvt_base",
    "pcpvt_large_v0": "twins_pcpvt_large",
    "pcpvt_small": "twins_pcpvt_small",
    "pcpvt_base": "twins_pcpvt_base",
    "pcpvt_large": "twins_pcpvt_large",
}
"""The reference implementation's model and checkpoint names, and ours."""

_WRAPPERS = ("model", "state_dict", "model_ema", "state_dict_ema")
_PREFIXES = ("module.", "backbone.", "encoder.", "model.")
_DETECTOR_ONLY = (
    "norm_list.",
    "norms.",
    "neck.",
    "rpn_head.",
    "roi_head.",
    "bbox_head.",
    "decode_head.",
    "auxiliary_head.",
)


def unwrap_checkpoint(content: Mapping[str, object]) -> dict[str, Tensor]:
    """Parameter names and tensors from a checkpoint of ours, of timm's or of the reference implementation.

    Raises:
        InputError: no tensors found.
    """
    for key in _WRAPPERS:
        if isinstance(content.get(key), Mapping):
            content = content[key]  # type: ignore[assignment]
            break
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(f"the checkpoint holds no tensors, only {sorted(map(str, content))[:5]}")
    for prefix in _PREFIXES:
        inner = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        if any(name.startswith("patch_embeds.") for name in inner):
            tensors = inner
            break
    return {name: value for name, value in tensors.items() if not name.startswith(_DETECTOR_ONLY)}


def load_twins_weights(model: Twins, source: str | Path | Mapping[str, object], *, classifier: bool = True) -> Twins:
    """Load weights into a model in place.

    Args:
        model: the network to fill.
        source: path of a checkpoint, or its content (a state dict, wrapped or not).
        classifier: False leaves the model's classifier as it is, for weights of other classes or without any.

    Returns:
        ``model``.

    Raises:
        InputError: unreadable source; tensors missing, left over or of another shape.
    """
    content = source if isinstance(source, Mapping) else load_plain(source)
    tensors = unwrap_checkpoint(content)
    state = model.state_dict()
    if not classifier:
        tensors = {n: t for n, t in tensors.items() if not n.startswith("head.")}
        tensors |= {n: t for n, t in state.items() if n.startswith("head.")}
    missing, extra = sorted(set(state) - set(tensors)), sorted(set(tensors) - set(state))
    if missing or extra:
        raise InputError(
            f"the weights are not those of this model: missing {missing[:3]}, unexpected {extra[:3]} "
            f"({len(missing)} and {len(extra)} in all); check the variant, or pass classifier=False if only head differs"
        )
    wrong = [n for n, t in tensors.items() if t.shape != state[n].shape]
    if wrong:
        found, wanted = tuple(tensors[wrong[0]].shape), tuple(state[wrong[0]].shape)
        raise InputError(
            f"the weights are not those of this model: {wrong[0]} is {found}, the model has {wanted} "
            f"({len(wrong)} such tensors); check the variant and in_chans, or pass classifier=False if only head differs"
        )
    model.load_state_dict(tensors)
    return model
