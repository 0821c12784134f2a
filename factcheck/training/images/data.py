"""Images for pre-training: decoded once into a uint8 array on disk, then read batch by batch at memory speed."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
from retrieval.arguments import checked_folder, checked_int
from retrieval.durable import replacing
from retrieval.npy import NpyWriter

__all__ = ["GroupedImages", "ImageArray", "ImageDataModule", "ShuffledImages", "cache_images", "read_images"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_DECODING = 2  # raised when images are decoded in another way, so that arrays made before are not read


def read_images(root: str | Path) -> Iterator[tuple[str, bytes]]:
    """The encoded images under ``root`` with their file names, in a fixed order.

    Args:
        root: a folder of Parquet files with an ``image`` column (bytes, or a struct with ``bytes``, as the
            ``datasets`` library writes it), or of image files at any depth.

    Yields:
        File name (empty where a table has none) and encoded image.

    Raises:
        InputError: the folder is missing or holds neither.
    """
    for source in _sources(Path(root)):
        if source.suffix == ".parquet":
            table = pq.ParquetFile(source)
            if "image" not in table.schema_arrow.names:
                raise InputError(
                    f"{source} has no column 'image' (columns: {', '.join(table.schema_arrow.names)})",
                    hint="write the encoded photos into a column of that name",
                )
            for batch in table.iter_batches(batch_size=256, columns=["image"]):
                for cell in batch.column(0).to_pylist():
                    if isinstance(cell, dict):
                        yield Path(cell.get("path") or "").name, cell["bytes"]
                    else:
                        yield "", cell
        else:
            yield source.name, source.read_bytes()


def cache_images(
    root: str | Path, size: int, folder: str | Path, *, exclude: str | Path | None = None
) -> NDArray[np.uint8]:
    """Decode every image under ``root`` once; later calls map the array that the first one wrote.

    Args:
        root: what :func:`read_images` reads.
        size: side in pixels to which images are resized, whatever their shape (nothing is cut off).
        folder: where the array is kept. Its file is named after the size and the content of ``root`` (names, lengths
            and times of change), so other images never meet an old array.
        exclude: a folder; images whose file name occurs anywhere in it are left out (an evaluation set's).

    Returns:
        (N, size, size, 3) uint8, mapped read-only from disk. Images that do not decode are left out.
    """
    listing = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in _sources(Path(root))]
    banned = _names(exclude)
    digest = hashlib.sha256(json.dumps([_DECODING, size, listing, sorted(banned)]).encode()).hexdigest()[:16]
    path = Path(folder) / f"images-{size}px-{digest}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            _write_images(root, size, partial, banned)
    return np.load(path, mmap_mode="r")


def _write_images(root: str | Path, size: int, path: Path, banned: set[str]) -> None:
    """Decode the images one by one into the array: all of them may be more than memory holds."""
    with NpyWriter(path, np.uint8, (size, size, 3)) as array:
        for name, data in read_images(root):
            if name not in banned and (image := _decode(data, size)) is not None:
                array.append(image[None])
    if not array.count:
        raise InputError(f"none of the photos under {root} can be decoded", hint="check that they are image files")


class ImageArray(Dataset[Tensor]):
    """Images of an array by index, whole batches at a time.

    Args:
        images: (N, S, S, 3) uint8.
        indices: which of them this data set holds; all if None.
    """

    def __init__(self, images: NDArray[np.uint8], indices: Sequence[int] | NDArray[np.int64] | None = None):
        self.images = images
        self.indices = np.arange(len(images)) if indices is None else np.asarray(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Tensor:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        """(B, 3, S, S) uint8, channels last in memory (the layout that resizes fastest)."""
        return torch.from_numpy(self.images[self.indices[np.asarray(indices)]]).permute(0, 3, 1, 2)


class ShuffledImages(Sampler[int]):
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


class GroupedImages(Sampler[int]):
    """An order in which look-alikes stand together, so that a batch holds hard negatives.

    Each epoch, seeds are drawn at random; a seed is followed by its nearest images that are still free.

    Args:
        neighbours: (N, K) indices of each image's nearest others, nearest first.
        group: images in a group, at most K + 1.
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
        whole: list[list[int]] = []
        rest: list[list[int]] = []
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


class ImageDataModule(pl.LightningDataModule):
    """Images for self-supervised pre-training, and some of them held out for validation.

    Args:
        root: folder with the images (see :func:`read_images`).
        cache: folder for the decoded array.
        batch_size: images a step; each becomes two views.
        size: side in pixels of the stored images. Crops are taken from these, so it is above the network's input.
        holdout: images kept from training for validation, drawn with the seed.
        seed: of the split and of the order of each epoch.
        exclude: a folder of images never to train on: those of the same file name are left out.
        grouping: folder of an image encoder; batches then hold groups of images that it finds alike (hard negatives).
            None for batches drawn at random, as a training from random weights needs at first.
        group: images in such a group.
    """

    def __init__(
        self,
        root: str,
        cache: str = "runs/image-cache",
        batch_size: int = 128,
        size: int = 160,
        holdout: int = 500,
        seed: int = 0,
        exclude: str | None = None,
        grouping: str | None = None,
        group: int = 8,
    ):
        super().__init__()
        self.root, self.cache, self.size, self.exclude = root, cache, size, exclude
        # An image is told from others.
        self.batch_size, self.holdout = checked_int("batch_size", batch_size, 2), checked_int("holdout", holdout, 2)
        self.seed = seed
        self.grouping, self.group = grouping, group
        self._parts: tuple[ImageArray, ImageArray] | None = None  # training and held-out images

    def prepare_data(self) -> None:
        """Decode the images, on one process of each machine."""
        cache_images(self.root, self.size, self.cache, exclude=self.exclude)

    def setup(self, stage: str | None = None) -> None:
        """Split into training and held-out images."""
        images = cache_images(self.root, self.size, self.cache, exclude=self.exclude)
        if len(images) < self.holdout + self.batch_size:
            raise InputError(
                f"{self.root} holds {len(images)} photos, fewer than the {self.holdout} of `holdout` plus the {self.batch_size} of "
                "`batch_size`",
                hint="lower these, or add photos",
            )
        order = np.random.default_rng(self.seed).permutation(len(images))
        held_out, train = np.sort(order[: self.holdout]), np.sort(order[self.holdout :])
        self._parts = ImageArray(images, train), ImageArray(images, held_out)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Batches of (B, 3, S, S) uint8 in a new order each epoch; the incomplete last batch is dropped."""
        return DataLoader(
            self._split()[0],
            batch_size=self.batch_size,
            sampler=self._sampler(),
            drop_last=True,
            collate_fn=_as_is,
        )

    def _split(self) -> tuple[ImageArray, ImageArray]:
        if self._parts is None:
            raise RuntimeError("the images are split in setup; give the data module to Trainer.fit")
        return self._parts

    def _sampler(self) -> Sampler[int]:
        train = self._split()[0]
        if self.grouping is None:
            return ShuffledImages(len(train), self.seed)
        return GroupedImages(_neighbours(train, self.grouping, count=4 * self.group), self.group, self.seed)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """The held-out images, in order."""
        return DataLoader(self._split()[1], batch_size=self.batch_size, collate_fn=_as_is)


def _neighbours(images: ImageArray, folder: str, count: int) -> NDArray[np.int64]:
    """(N, count) indices of the images that an encoder finds most alike, nearest first, the image itself left out."""
    import torch.nn.functional as F

    from factcheck.models.folder import load_image_encoder

    encoder = load_image_encoder(folder)
    mean, std = (torch.tensor(values)[:, None, None] for values in (encoder.mean, encoder.std))
    rows = []
    with torch.inference_mode():
        for start in range(0, len(images), 64):
            batch = images.__getitems__(range(start, min(start + 64, len(images))))
            size = (encoder.input_size, encoder.input_size)
            pixels = F.interpolate(batch, size=size, mode="bilinear", antialias=True).float() / 255
            rows.append(encoder.embed((pixels - mean) / std))
        z = torch.cat(rows)
        nearest = [(part @ z.T).topk(min(count + 1, len(z))).indices for part in z.split(512)]
    found = torch.cat(nearest).numpy()
    # An image is its own nearest neighbour, save for exact doubles, where either may come first.
    own = found == np.arange(len(found))[:, None]
    own[~own.any(1), -1] = True
    return found[~own].reshape(len(found), -1)


def _as_is(batch: Any) -> Any:
    return batch


def _names(folder: str | Path | None) -> set[str]:
    if folder is None:
        return set()
    return {path.name for path in checked_folder("exclude", folder).rglob("*") if path.suffix.lower() in _SUFFIXES}


def _sources(root: Path) -> list[Path]:
    checked_folder("root", root, "give one of Parquet or image files")
    tables = sorted(root.glob("*.parquet"))
    sources = tables or sorted(p for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not sources:
        raise InputError(f"{root} holds neither Parquet files nor photos ({', '.join(sorted(_SUFFIXES))})")
    return sources


def _decode(data: bytes | None, size: int) -> NDArray[np.uint8] | None:
    try:
        image = decode_image(data or b"", min_size=size)
    except InputError:
        return None
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
