"""Photos for pre-training: decoded once into a uint8 array on disk, then read batch by batch at memory speed."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from factcheck.data.images import decode_image
from factcheck.errors import InputError
from retrieval.npy import NpyWriter

__all__ = ["GroupedPhotos", "PhotoArray", "PhotoDataModule", "ShuffledPhotos", "cache_photos", "read_photos"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_DECODING = 2  # raised when photos are decoded in another way, so that arrays made before are not read


def read_photos(root: str | Path) -> Iterator[tuple[str, bytes]]:
    """The encoded photos under ``root`` with their file names, in a fixed order.

    Args:
        root: a folder of Parquet files with an ``image`` column (bytes, or a struct with ``bytes``, as the
            ``datasets`` library writes it), or of image files at any depth.

    Yields:
        File name (empty where a table has none) and encoded photo.

    Raises:
        InputError: the folder is missing or holds neither.
    """
    for source in _sources(Path(root)):
        if source.suffix == ".parquet":
            table = pq.ParquetFile(source)
            if "image" not in table.schema_arrow.names:
                raise InputError(
                    f"{source} has no column 'image' (columns: {', '.join(table.schema_arrow.names)}). Write the "
                    "encoded photos into a column named 'image'."
                )
            for batch in table.iter_batches(batch_size=256, columns=["image"]):
                for cell in batch.column(0).to_pylist():
                    if isinstance(cell, dict):
                        yield Path(cell.get("path") or "").name, cell["bytes"]
                    else:
                        yield "", cell
        else:
            yield source.name, source.read_bytes()


def cache_photos(
    root: str | Path, size: int, folder: str | Path, *, exclude: str | Path | None = None
) -> NDArray[np.uint8]:
    """Decode every photo under ``root`` once; later calls map the array that the first one wrote.

    Args:
        root: what :func:`read_photos` reads.
        size: side in pixels to which photos are resized, whatever their shape (nothing is cut off).
        folder: where the array is kept. Its file is named after the size and the content of ``root`` (names, lengths
            and times of change), so other photos never meet an old array.
        exclude: a folder; photos whose file name occurs anywhere in it are left out (an evaluation set's photos).

    Returns:
        (N, size, size, 3) uint8, mapped read-only from disk. Photos that do not decode are left out.
    """
    listing = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in _sources(Path(root))]
    banned = _names(exclude)
    digest = hashlib.sha256(json.dumps([_DECODING, size, listing, sorted(banned)]).encode()).hexdigest()[:16]
    path = Path(folder) / f"photos-{size}px-{digest}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write_photos(root, size, partial, banned)
            os.replace(partial, path)  # readers see all of the array or none of it
        finally:
            partial.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def _write_photos(root: str | Path, size: int, path: Path, banned: set[str]) -> None:
    """Decode the photos one by one into the array: all of them may be more than memory holds."""
    with NpyWriter(path, np.uint8, (size, size, 3)) as array:
        for name, data in read_photos(root):
            if name not in banned and (photo := _decode(data, size)) is not None:
                array.append(photo[None])
    if not array.count:
        raise InputError(f"None of the photos under {root} could be decoded. Check that they are image files.")


class PhotoArray(Dataset):
    """Photos of an array by index, whole batches at a time.

    Args:
        photos: (N, S, S, 3) uint8.
        indices: which of them this data set holds; all if None.
    """

    def __init__(self, photos: NDArray[np.uint8], indices: Sequence[int] | NDArray[np.int64] | None = None):
        self.photos = photos
        self.indices = np.arange(len(photos)) if indices is None else np.asarray(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        """(B, 3, S, S) uint8, channels last in memory (the layout that resizes fastest)."""
        return torch.from_numpy(self.photos[self.indices[np.asarray(indices)]]).permute(0, 3, 1, 2)


class ShuffledPhotos(Sampler[int]):
    """An order for each epoch that depends on the seed and the epoch alone, so that a resumed run sees the same one."""

    def __init__(self, count: int, seed: int):
        self.count, self.seed, self.epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng([self.seed, self.epoch]).permutation(self.count).tolist())


class GroupedPhotos(Sampler[int]):
    """An order in which look-alikes stand together, so that a batch holds hard negatives.

    Each epoch, seeds are drawn at random; a seed is followed by those of its nearest photos that are still free.

    Args:
        neighbours: (N, K) indices of each photo's nearest others, nearest first.
        group: photos in a group, at most K + 1.
        seed: with the epoch it determines the order.
    """

    def __init__(self, neighbours: NDArray[np.int64], group: int, seed: int):
        self.neighbours, self.group, self.seed, self.epoch = neighbours, group, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.neighbours)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        free = np.ones(len(self.neighbours), dtype=bool)
        whole, rest = [], []
        for start in rng.permutation(len(self.neighbours)):
            if not free[start]:
                continue
            near = self.neighbours[start]
            members = [start, *near[free[near]][: self.group - 1]]
            free[members] = False
            (whole if len(members) == self.group else rest).append(members)
        # Seeds drawn late find few free neighbours: these remnants fill the last batches.
        groups = [whole[k] for k in rng.permutation(len(whole))]
        yield from (int(index) for members in (*groups, *rest) for index in members)


class PhotoDataModule(pl.LightningDataModule):
    """Photos for self-supervised pre-training, and some of them held out for validation.

    Args:
        root: folder with the photos (see :func:`read_photos`).
        cache: folder for the decoded array.
        batch_size: photos a step; each becomes two views.
        size: side in pixels of the stored photos. Crops are taken from these, so it is above the network's input.
        holdout: photos kept from training for validation, drawn with the seed.
        seed: of the split and of the order of each epoch.
        exclude: a folder of photos never to train on: those of the same file name are left out.
        grouping: folder of a photo encoder; batches then hold groups of photos that it finds alike (hard negatives).
            None for batches drawn at random, as a training from random weights needs at first.
        group: photos in such a group.
    """

    def __init__(
        self,
        root: str,
        cache: str = "runs/photo-cache",
        batch_size: int = 128,
        size: int = 160,
        holdout: int = 500,
        seed: int = 0,
        exclude: str | None = None,
        grouping: str | None = None,
        group: int = 8,
    ):
        super().__init__()
        if batch_size < 2 or holdout < 2:
            raise InputError(
                f"batch_size={batch_size} and holdout={holdout} must be at least 2: a photo is told from others."
            )
        self.root, self.cache, self.size, self.exclude = root, cache, size, exclude
        self.batch_size, self.holdout, self.seed = batch_size, holdout, seed
        self.grouping, self.group = grouping, group
        self._train: PhotoArray | None = None
        self._held_out: PhotoArray | None = None

    def prepare_data(self) -> None:
        """Decode the photos, on one process of each machine."""
        cache_photos(self.root, self.size, self.cache, exclude=self.exclude)

    def setup(self, stage: str | None = None) -> None:
        """Split into training and held-out photos."""
        photos = cache_photos(self.root, self.size, self.cache, exclude=self.exclude)
        if len(photos) < self.holdout + self.batch_size:
            raise InputError(
                f"{self.root} holds {len(photos)} photos, fewer than holdout={self.holdout} plus "
                f"batch_size={self.batch_size}. Lower these, or add photos."
            )
        order = np.random.default_rng(self.seed).permutation(len(photos))
        self._held_out = PhotoArray(photos, np.sort(order[: self.holdout]))
        self._train = PhotoArray(photos, np.sort(order[self.holdout :]))

    def train_dataloader(self) -> DataLoader:
        """Batches of (B, 3, S, S) uint8 in a new order each epoch; the incomplete last batch is dropped."""
        return DataLoader(
            self._train,
            batch_size=self.batch_size,
            sampler=self._sampler(),
            drop_last=True,
            collate_fn=_as_is,
        )

    def _sampler(self) -> Sampler[int]:
        if self.grouping is None:
            return ShuffledPhotos(len(self._train), self.seed)
        return GroupedPhotos(_neighbours(self._train, self.grouping, count=4 * self.group), self.group, self.seed)

    def val_dataloader(self) -> DataLoader:
        """The held-out photos, in order."""
        return DataLoader(self._held_out, batch_size=self.batch_size, collate_fn=_as_is)


def _neighbours(photos: PhotoArray, folder: str, count: int) -> NDArray[np.int64]:
    """(N, count) indices of the photos that an encoder finds most alike, nearest first, the photo itself left out."""
    import torch.nn.functional as F

    from factcheck.models.folder import load_image_encoder

    encoder = load_image_encoder(folder)
    mean, std = (torch.tensor(values)[:, None, None] for values in (encoder.mean, encoder.std))
    rows = []
    with torch.inference_mode():
        for start in range(0, len(photos), 64):
            batch = photos.__getitems__(range(start, min(start + 64, len(photos))))
            size = (encoder.input_size, encoder.input_size)
            pixels = F.interpolate(batch, size=size, mode="bilinear", antialias=True).float() / 255
            rows.append(encoder.embed((pixels - mean) / std))
        z = torch.cat(rows)
        nearest = [(part @ z.T).topk(min(count + 1, len(z))).indices for part in z.split(512)]
    found = torch.cat(nearest).numpy()
    # A photo is its own nearest neighbour, save for exact doubles, where either may come first.
    own = found == np.arange(len(found))[:, None]
    own[~own.any(1), -1] = True
    return found[~own].reshape(len(found), -1)


def _as_is(batch: Tensor) -> Tensor:
    return batch


def _names(folder: str | Path | None) -> set[str]:
    if folder is None:
        return set()
    if not Path(folder).is_dir():
        raise InputError(f"The folder of photos to exclude, {folder}, does not exist.")
    return {path.name for path in Path(folder).rglob("*") if path.suffix.lower() in _SUFFIXES}


def _sources(root: Path) -> list[Path]:
    if not root.is_dir():
        raise InputError(f"The photo folder {root} does not exist. Give a folder of Parquet or image files.")
    tables = sorted(root.glob("*.parquet"))
    sources = tables or sorted(p for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not sources:
        raise InputError(f"{root} holds neither Parquet files nor photos ({', '.join(sorted(_SUFFIXES))}).")
    return sources


def _decode(data: bytes | None, size: int) -> NDArray[np.uint8] | None:
    try:
        image = decode_image(data or b"", min_size=size)
    except InputError:
        return None
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
