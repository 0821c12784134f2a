"""The same encoder in ONNX Runtime: fused attention, and optionally int8 weights (extra ``onnx``)."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.arguments import as_texts, checked_int
from retrieval.content_cache import cache_folder
from retrieval.durable import replacing
from retrieval.encoders.base import TextEncoder
from retrieval.encoders.batching import batches_by_length, pad, tokenize
from retrieval.encoders.transformers import TransformersEncoder
from retrieval.errors import InputError, first_line
from retrieval.lazy import import_extra

__all__ = ["OnnxEncoder"]

#: Raised when the exported graph changes, so that older files in the cache are not taken for it.
_EXPORT_VERSION = 1


class OnnxEncoder(TextEncoder):
    """A :class:`TransformersEncoder` exported once to ONNX and run on the CPU.

    With ``int8`` the matrices are quantised dynamically, by channel: vectors differ slightly, so the fingerprint does too.
    Without it they are equal to rounding and the fingerprint is the torch encoder's: an index built with one is searched
    with the other.

    Args:
        source: the encoder to export.
        int8: quantise the weights.
        threads: threads of ONNX Runtime; 0 follows ``OMP_NUM_THREADS``, else its own choice.

    Raises:
        InputError: the extra is missing, or the model cannot be exported.
    """

    def __init__(self, source: TransformersEncoder, *, int8: bool = False, threads: int = 0) -> None:
        import_extra("onnx", "onnx", "`runtime` 'onnx'", "runtime")
        ort = import_extra("onnxruntime", "onnx", "`runtime` 'onnx'", "runtime")
        self._tokenizer, self._max_length, self._pooling = source.tokenizer, source.max_length, source.pooling
        self._dimension, self._prompt = source.dimension, source.prompt
        self._fingerprint = source.fingerprint + ("-int8" if int8 else "")
        key = hashlib.sha256(f"{_EXPORT_VERSION} {ort.__version__} {self._fingerprint}".encode()).hexdigest()[:24]
        path = cache_folder("onnx") / f"{key}.onnx"
        if not path.is_file():
            _export(source.model, path, int8)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or int(os.environ.get("OMP_NUM_THREADS", "0"))
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    @property
    def fingerprint(self) -> str:
        """The torch encoder's content hash, with a mark for int8."""
        return self._fingerprint

    def encode(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Encode texts; see :meth:`TextEncoder.encode`."""
        texts, batch_size = as_texts(texts, "texts"), checked_int("batch_size", batch_size, 1)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        numbers = tokenize(self._tokenizer, [self._prompt + text for text in texts], self._max_length)
        for rows, ids in batches_by_length(numbers, batch_size):
            tokens, mask = pad(ids, self._tokenizer.pad_token_id or 0)
            (hidden,) = self._session.run(None, {"input_ids": tokens, "attention_mask": mask})  # (B, N, D)
            if self._pooling == "cls":
                pooled = hidden[:, 0]
            else:
                pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
            vectors[rows] = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        return vectors


def _export(model: Any, path: Path, int8: bool) -> None:
    """Write the model's graph, fused and optionally quantised, to ``path`` at one stroke."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    attention = model.config._attn_implementation
    path.parent.mkdir(parents=True, exist_ok=True)
    tokens = torch.ones(2, 8, dtype=torch.int64)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings():
        # The tracing exporter announces its end; its successor's graphs are not fused by ONNX Runtime yet.
        warnings.simplefilter("ignore")
        plain, fused = Path(scratch) / "plain.onnx", Path(scratch) / "fused.onnx"
        try:
            # Fusion knows attention by its plain form, not by the one fused call that torch makes of it.
            model.set_attn_implementation("eager")
            axes = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask", "hidden")}
            torch.onnx.export(
                Hidden().eval(),
                (tokens, tokens),
                str(plain),
                input_names=["input_ids", "attention_mask"],
                output_names=["hidden"],
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,
            )
            heads, width = model.config.num_attention_heads, model.config.hidden_size
            graph = optimizer.optimize_model(str(plain), model_type="bert", num_heads=heads, hidden_size=width)
            graph.save_model_to_file(str(fused))
            if int8:
                # The fused operators are ONNX Runtime's own, whose result types shape inference does not know.
                extra = {"DefaultTensorType": onnx.TensorProto.FLOAT}
                quantize_dynamic(
                    fused,
                    Path(scratch) / "int8.onnx",
                    weight_type=QuantType.QInt8,
                    per_channel=True,
                    extra_options=extra,
                )
                fused = Path(scratch) / "int8.onnx"
        except Exception as error:
            raise InputError(
                f"the encoder could not be exported to ONNX: {first_line(error)}",
                field="runtime",
                hint="use `runtime` 'torch'",
            ) from error
        finally:
            model.set_attn_implementation(attention)
        with replacing(path) as partial:
            fused.replace(partial)
