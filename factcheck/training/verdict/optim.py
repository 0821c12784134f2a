"""Which weights are trained, and how fast: settings, parameter groups and the schedule of the rates."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from factcheck.errors import InputError
from factcheck.models.dropout import set_dropout
from factcheck.models.verdict import VerdictModel
from factcheck.training.verdict.attention import use_wide_attention
from retrieval.arguments import checked_int, checked_number, checked_share

__all__ = ["OptimOptions", "TextOptions", "parameter_groups", "prepare_image", "prepare_text", "warmup_and_decay"]


@dataclass(frozen=True, kw_only=True)
class OptimOptions:
    """AdamW with a rate for each part of the model, which rises at first and then falls linearly to 0."""

    learning_rate: float = 3e-4
    """Peak rate of fusion and heads."""
    text_learning_rate: float = 5e-5
    """Peak rate of the text transformer's last layer; 0 freezes the text transformer."""
    image_learning_rate: float = 0.0
    """Peak rate of the image encoder; 0 freezes it."""
    layer_decay: float = 0.9
    """Factor on the rate from each text layer to the one below, in [0, 1]."""
    weight_decay: float = 0.01
    """AdamW decay of matrices (biases, norms, embeddings and position encodings are not decayed)."""
    warmup: float = 0.06
    """Share of all steps with a rising rate, in [0, 1)."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "text_learning_rate", "image_learning_rate", "weight_decay"):
            checked_number(name, getattr(self, name))
        checked_share("layer_decay", self.layer_decay)
        checked_number("warmup", self.warmup, below=1.0)


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How the text transformer is trained."""

    dropout: float = 0.1
    """Dropout of its hidden states, in [0, 1)."""
    attention_dropout: float = 0.1
    """Dropout of its attention weights, in [0, 1). On a CPU it costs half of the time of a step with long texts."""
    freeze_embeddings: bool = True
    """Keep the embedding tables as they are."""
    frozen_layers: int = 0
    """Lowest layers that are kept as they are, too. Half of them frozen trains a large model half as fast again, at little loss."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, for large models."""

    def __post_init__(self) -> None:
        checked_number("text.dropout", self.dropout, below=1.0)
        checked_number("text.attention_dropout", self.attention_dropout, below=1.0)
        checked_int("text.frozen_layers", self.frozen_layers, 0)


def prepare_text(model: VerdictModel, options: TextOptions, learning_rate: float) -> None:
    """Set dropout, attention and checkpointing of the text transformer, and freeze what is not to be trained.

    Raises:
        InputError: more layers are to be frozen than there are, or layers but not the embeddings below them.
    """
    text: Any = model.text
    text.train()  # pre-trained models arrive in evaluation mode, and Lightning leaves modes as it finds them
    set_dropout(text, options.dropout, options.attention_dropout)
    use_wide_attention(text)
    if options.gradient_checkpointing:
        text.gradient_checkpointing_enable()
    if learning_rate == 0:
        text.requires_grad_(False)
    elif options.freeze_embeddings:
        text.get_input_embeddings().requires_grad_(False)
        if (embeddings := getattr(text, "embeddings", None)) is not None:
            embeddings.requires_grad_(False)
    if options.frozen_layers:
        _freeze_layers(model, options)


def prepare_image(model: VerdictModel, learning_rate: float) -> None:
    """Freeze the image encoder unless it is to be trained."""
    if model.image is not None and learning_rate == 0:
        model.image.requires_grad_(False).eval()


def _freeze_layers(model: VerdictModel, options: TextOptions) -> None:
    count, depth = options.frozen_layers, _depth(model)
    if not options.freeze_embeddings or count > depth:
        raise InputError(
            f"`text.frozen_layers` is {count}; it must lie in 0 … {depth}, and `freeze_embeddings` must be on "
            "(what lies below a frozen layer is frozen, too)",
            field="frozen_layers",
        )
    for name, parameter in model.text.named_parameters():
        # What belongs to no layer is an embedding or a table that all layers share.
        if _level(name) <= count:
            parameter.requires_grad_(False)
    if model.match_embed is not None:
        model.match_embed.requires_grad_(False)


def parameter_groups(model: VerdictModel, options: OptimOptions) -> list[dict[str, Any]]:
    """The trained parameters as groups of one rate and one decay, as optimisers take them."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    depth, undecayed = _depth(model), _undecayed(model)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = 0.0 if name in undecayed else options.weight_decay
            groups.setdefault((_rate(name, depth, options), decay), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def warmup_and_decay(total: int, warmup: float) -> Callable[[int], float]:
    """The factor on the rates at each step: up to 1 over the share ``warmup`` of ``total`` steps, then down to 0."""
    rising = max(1, round(total * warmup))

    def factor(step: int) -> float:
        return min((step + 1) / rising, max(0.0, (total - step) / max(1, total - rising)))

    return factor


def _rate(name: str, depth: int, options: OptimOptions) -> float:
    part = name.split(".", 1)[0]
    if part == "image":
        return options.image_learning_rate
    if part != "text":
        return options.learning_rate
    return options.text_learning_rate * options.layer_decay ** (depth - _level(name))


def _depth(model: VerdictModel) -> int:
    config: Any = model.text.config
    return int(getattr(config, "num_hidden_layers", 0))


def _level(name: str) -> int:
    """Layer, from 1, that a parameter belongs to; 0 for embeddings. Layers are numbered after ".layer." (BERT-like) or ".layers."."""
    pieces = name.split(".")
    numbers = [int(b) for a, b in pairwise(pieces) if a in ("layer", "layers") and b.isdigit()]
    return numbers[0] + 1 if numbers else 0


def _undecayed(model: nn.Module) -> set[str]:
    """The parameters that weight decay leaves alone: vectors (biases, norms), embeddings, and those that a part names itself."""
    names: set[str] = set()
    for prefix, part in model.named_modules():
        whole = isinstance(part, nn.Embedding | nn.LayerNorm)
        own = {name for name, parameter in part.named_parameters(recurse=False) if whole or parameter.ndim <= 1}
        if callable(excluded := getattr(part, "no_weight_decay", None)):
            own |= set(excluded())
        names |= {f"{prefix}.{name}" if prefix else name for name in own}
    return names
