"""Token tensors of training rows, made once and kept on disk, so that a step of a fast device waits for no tokenizer."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from factcheck.models.inputs import InputBuilder, TextRow
from retrieval.content_cache import cache_folder
from retrieval.durable import replacing_folder

__all__ = ["TokenCache", "cached_tokens"]

_LOG = logging.getLogger("factcheck")
_VERSION = 1  # raised when inputs are made in another way, so that arrays made before are not read
_CHUNK = 256
_OFFSETS, _MASK = "offsets", "attention_mask"
#: Codes of types and relations are few; ids of tokens fit into 32 bits.
_KINDS = {"input_ids": np.uint32, "token_type_ids": np.uint8, "token_relations": np.uint8}


class TokenCache:
    """The inputs of many rows by number, without padding: one flat array for each tensor, mapped from disk.

    Args:
        folder: what :func:`cached_tokens` wrote.
        padding: value of each tensor where a row is shorter than others of its batch.
    """

    def __init__(self, folder: Path, padding: dict[str, int]) -> None:
        self.padding = padding
        self._offsets: NDArray[np.int64] = np.load(folder / f"{_OFFSETS}.npy", mmap_mode="r")
        self._flat = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in padding}

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def batch(self, numbers: Sequence[int | None], made: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The inputs of a batch, as :meth:`~factcheck.models.inputs.InputBuilder.texts` makes them.

        Args:
            numbers: of its rows; None for those that are not kept here.
            made: the inputs of these, in order, each (rows, T).

        Returns:
            Tensors (B, T), int64.
        """
        spans = [None if n is None else (int(self._offsets[n]), int(self._offsets[n + 1])) for n in numbers]
        fresh = made[_MASK].sum(1).tolist() if made is not None else []
        lengths = [end - start for start, end in filter(None, spans)]
        width = max([*lengths, *fresh])
        tensors = {name: torch.full((len(numbers), width), pad) for name, pad in self.padding.items()}
        tensors[_MASK] = torch.zeros(len(numbers), width, dtype=torch.int64)
        taken = 0
        for row, span in enumerate(spans):
            if span is not None:
                length = span[1] - span[0]
                for name, flat in self._flat.items():
                    tensors[name][row, :length] = torch.from_numpy(flat[span[0] : span[1]].astype(np.int64))
            else:
                length = fresh[taken]
                for name in self.padding:
                    assert made is not None
                    tensors[name][row, :length] = made[name][taken, :length]
                taken += 1
            tensors[_MASK][row, :length] = 1
        return tensors


def cached_tokens(rows: Sequence[TextRow], builder: InputBuilder, workers: int = 0) -> TokenCache:
    """The inputs of rows, from disk where they were made before for the same texts and the same builder.

    Args:
        rows: at least one.
        builder: makes them.
        workers: processes that make them; 0 makes them in this one.
    """
    folder = cache_folder("tokens") / _key(rows, builder)
    if not (folder / f"{_OFFSETS}.npy").is_file():
        _LOG.info("tokenizing %d rows once", len(rows))
        _write(folder, rows, builder, workers)
    return TokenCache(folder, _padding(builder))


def _padding(builder: InputBuilder) -> dict[str, int]:
    """The tensors that a builder makes but the mask, with the value that pads each."""
    made = builder.texts([TextRow("a"), TextRow("a b c d e f g h")])
    last = made[_MASK][0] == 0
    return {name: int(tensor[0][last][0]) for name, tensor in made.items() if name != _MASK}


def _write(folder: Path, rows: Sequence[TextRow], builder: InputBuilder, workers: int) -> None:
    parts: dict[str, list[NDArray[Any]]] = {}
    lengths: list[NDArray[np.int64]] = []
    for counts, flat in _made(rows, builder, workers):
        lengths.append(counts)
        for name, values in flat.items():
            parts.setdefault(name, []).append(values)
    with replacing_folder(folder) as partial:
        for name, pieces in parts.items():
            np.save(partial / f"{name}.npy", np.concatenate(pieces))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths))])
        np.save(partial / f"{_OFFSETS}.npy", offsets)


def _made(
    rows: Sequence[TextRow], builder: InputBuilder, workers: int
) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]:
    chunks = _Chunks(rows, builder)
    yield from DataLoader(chunks, batch_size=None, num_workers=workers, generator=torch.Generator())


class _Chunks(Dataset[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]):
    """Lengths and flat tensors of rows, chunk by chunk."""

    def __init__(self, rows: Sequence[TextRow], builder: InputBuilder) -> None:
        self.rows, self.builder = rows, builder

    def __len__(self) -> int:
        return -(-len(self.rows) // _CHUNK)

    def __getitem__(self, number: int) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
        if number >= len(self):
            raise IndexError(number)
        made = self.builder.texts(self.rows[number * _CHUNK : (number + 1) * _CHUNK])
        mask = made.pop(_MASK).bool()
        flat = {name: tensor[mask].numpy().astype(_KINDS[name]) for name, tensor in made.items()}
        return mask.sum(1).numpy(), flat


def _key(rows: Sequence[TextRow], builder: InputBuilder) -> str:
    backend = getattr(builder.tokenizer, "backend_tokenizer", None)
    about: Any = builder.tokenizer.get_vocab()
    if backend is not None:
        # How the last call padded and cut is kept there, too.
        about = {
            name: value for name, value in json.loads(backend.to_str()).items() if name not in ("padding", "truncation")
        }
    settings = [_VERSION, builder.max_length, builder.max_claim_tokens, builder.token_relations]
    digest = hashlib.sha256(json.dumps(settings).encode())
    digest.update(json.dumps(about, sort_keys=True).encode())
    for row in rows:
        text = json.dumps([row.claim, list(row.evidence), row.claim_ocr, row.document_ocr], ensure_ascii=False)
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]
