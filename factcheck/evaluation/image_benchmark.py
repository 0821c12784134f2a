"""Copy detection: does an altered copy find its original, and are copies told from other images?

Image encoders and classical fingerprints, on the same references and queries.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from factcheck.errors import InputError
from retrieval.arguments import checked_file
from retrieval.lazy import need_extra

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "CopySet",
    "copy_detection_scores",
    "descriptor",
    "evaluate_descriptor",
    "micro_average_precision",
    "read_copy_set",
    "recall_at_1",
    "same_different_auc",
]

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}

#: What a descriptor is here: a list of RGB images in, (N, D) rows out whose inner product is the similarity.
Descriptor = Callable[[Sequence["Image.Image"]], NDArray[np.float32]]


@dataclass(frozen=True)
class CopySet:
    """What a benchmark runs on. Photos are encoded bytes; an image is known by its content, whatever its name.

    Attributes:
        references: the originals, without repetition.
        queries: altered images.
        original: for each query the index of its original in ``references``, −1 for none.
        pairs: (query, reference) index pairs that are judged the same or different.
        same: truth of each pair.
    """

    references: list[bytes]
    queries: list[bytes]
    original: NDArray[np.int64]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]


def read_copy_set(
    references: Sequence[str | Path],
    queries: str | Path,
    *,
    gold: str | Path | None = None,
    max_references: int | None = None,
) -> CopySet:
    """Read references and queries.

    Args:
        references: folders of images, or claims tables whose document images are meant.
        queries: a folder, where a query's original is the reference of the same file name without extension, and every
            query is paired with every reference; or a claims table, where the claim's image is the query and each row
            one pair with the document's image. A table's paths are relative to its folder.
        gold: JSONL that says ``same_photo`` for each row of the table, in order. Required with a table.
        max_references: keep at most so many references: all images that rows of the table name, then the first others.

    Raises:
        InputError: nothing found, no gold, or gold of another length.
    """
    found: dict[str, tuple[str, bytes]] = {}  # content hash -> (stem, bytes), in order of first sight
    queries = Path(queries)
    rows: list[tuple[bytes, bytes]] = []
    if not queries.is_dir():
        rows = list(_pairs_of(queries))
        for _, document in rows:
            found.setdefault(_hash(document), ("", document))
    for source in map(Path, references):
        images = _folder(source) if source.is_dir() else (("", document) for _, document in _pairs_of(source))
        for stem, data in images:
            if not found.get(_hash(data), ("", b""))[0]:
                found[_hash(data)] = (stem, data)
    place = {key: number for number, key in enumerate(found)}
    if max_references is not None and max_references < len(place):
        needed = len({_hash(document) for _, document in rows})
        if max_references < needed or not rows:
            raise InputError(
                f"`max_references` is {max_references}, below the {needed or len(place)} references that the queries need",
                field="max_references",
            )
        place = dict(list(place.items())[:max_references])
    originals = [found[key][1] for key in place]
    if rows:
        same = _gold(gold, len(rows))
        column = np.array([place[_hash(document)] for _, document in rows])
        pairs = np.stack([np.arange(len(rows)), column], axis=1)
        return CopySet(originals, [claim for claim, _ in rows], np.where(same, column, -1), pairs, same)
    stems = {found[key][0]: number for key, number in place.items()}
    named = list(_folder(queries))
    original = np.array([stems.get(stem, -1) for stem, _ in named])
    pairs = np.stack(np.meshgrid(np.arange(len(named)), np.arange(len(originals)), indexing="ij"), -1).reshape(-1, 2)
    return CopySet(originals, [data for _, data in named], original, pairs, original[pairs[:, 0]] == pairs[:, 1])


def evaluate_descriptor(embed: Descriptor, images: CopySet) -> dict[str, float]:
    """``recall@1`` and ``uap`` of the queries that have an original, ``auc`` over the pairs, and the counts.

    Raises:
        InputError: no query has an original, or an image cannot be decoded.
    """
    references, queries = embed(_decode(images.references)), embed(_decode(images.queries))
    has_original = images.original >= 0
    similarity = queries[has_original] @ references.T
    truth = images.original[has_original]
    scores = np.einsum("nd,nd->n", queries[images.pairs[:, 0]], references[images.pairs[:, 1]])
    return {
        "recall@1": recall_at_1(similarity, truth),
        "uap": micro_average_precision(similarity, truth),
        "auc": same_different_auc(scores, images.same),
        "references": len(references),
        "queries": int(has_original.sum()),
        "pairs": len(images.pairs),
    }


def descriptor(name: str) -> Descriptor:
    """A descriptor by name.

    Args:
        name: ``bundled`` or the folder of an image encoder; ``colour-histogram`` (8x8x8 RGB bins compared by the
            Bhattacharyya coefficient); ``phash`` (64-bit DCT hash, Hamming distance; needs ``imagehash``); or
            ``timm:NAME`` for any timm model, with weights from timm's hub or cache, or the folder of one (for example
            a DINO network).

    Raises:
        InputError: nothing of that name, or a package is missing.
    """
    if name == "colour-histogram":
        return _colour_histogram
    if name == "phash":
        need_extra("eval", "imagehash", what="phash")
        return _phash
    if name.startswith("timm:"):
        return _timm_descriptor(name.removeprefix("timm:"))
    if name != "bundled" and not Path(name).is_dir():
        raise InputError(
            f"no image descriptor is called {name!r}",
            hint="use bundled, colour-histogram, phash, timm:NAME, or the folder of a model",
        )
    if name != "bundled" and _is_timm_folder(Path(name)):
        return _timm_descriptor(f"local-dir:{name}")
    from factcheck.models.folder import bundled_image_encoder, load_image_encoder

    encoder = load_image_encoder(bundled_image_encoder() if name == "bundled" else name)
    return _network(encoder.embed, encoder.input_size, encoder.mean, encoder.std)


def _network(embed: Callable[[Any], Any], size: int, mean: Sequence[float], std: Sequence[float]) -> Descriptor:
    import torch

    from factcheck.data.transforms import ImageTransform

    transform = ImageTransform(size, mean, std)

    def run(images: Sequence["Image.Image"]) -> NDArray[np.float32]:
        rows = []
        with torch.inference_mode():
            for start in range(0, len(images), 32):
                batch = torch.stack([transform(image) for image in images[start : start + 32]])
                rows.append(torch.nn.functional.normalize(embed(batch).float(), dim=1).numpy())
        return np.concatenate(rows)

    return run


def _timm_descriptor(name: str) -> Descriptor:
    import timm

    try:
        model = timm.create_model(name, pretrained=True, num_classes=0).eval()
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"timm could not make {name!r}: {error}", hint="timm.list_models() gives the names") from error
    config = timm.data.resolve_model_data_config(model)
    return _network(model, config["input_size"][-1], config["mean"], config["std"])


def _is_timm_folder(folder: Path) -> bool:
    config = folder / "config.json"
    return config.is_file() and '"architecture"' in config.read_text(encoding="utf-8")


def _colour_histogram(images: Sequence["Image.Image"]) -> NDArray[np.float32]:
    rows = []
    for image in images:
        bins = np.asarray(image.resize((128, 128))).reshape(-1, 3) // 32
        counts = np.bincount(bins @ np.array([64, 8, 1]), minlength=512)
        rows.append(np.sqrt(counts / counts.sum()))
    return np.stack(rows).astype(np.float32)


def _phash(images: Sequence["Image.Image"]) -> NDArray[np.float32]:
    import imagehash

    # Bits as ±1/8: the inner product of two hashes is 1 − 2·distance/64.
    return np.stack([imagehash.phash(image).hash.ravel() * 0.25 - 0.125 for image in images]).astype(np.float32)


def _decode(images: Sequence[bytes]) -> list["Image.Image"]:
    from factcheck.data import decode_image

    return [decode_image(data) for data in images]


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGES)
    if not files:
        raise InputError(f"{folder} holds no images ({', '.join(sorted(_IMAGES))})")
    for path in files:
        yield path.stem, path.read_bytes()


def _pairs_of(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Claim and document image of each row of a claims table."""
    from factcheck.data import open_claims

    if not path.is_file():
        raise InputError(f"{path} is neither a folder of images nor a claims table")
    row = 0
    for table in open_claims(path).batches(images=True):
        for claim, document in zip(table["claim_image"].to_pylist(), table["document_image"].to_pylist(), strict=True):
            if claim is None or document is None:
                raise InputError(
                    f"{path}, row {row}: the claim or the document has no readable image", hint="leave the row out"
                )
            yield claim["bytes"], document["bytes"]
            row += 1


def _gold(path: str | Path | None, rows: int) -> NDArray[np.bool_]:
    import json

    if path is None:
        raise InputError(
            "a table of queries needs `gold`: a JSONL file that says same_photo (true or false) a row", field="gold"
        )
    checked_file(f"`gold` {str(path)!r}", path, field="gold")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        same = [bool(json.loads(line)["same_photo"]) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: each line must be a JSON object with same_photo ({error!r})") from error
    if len(same) != rows:
        raise InputError(f"{path} has {len(same)} lines, the table {rows} rows; they belong together row by row")
    return np.array(same)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def recall_at_1(similarity: ArrayLike, truth: ArrayLike) -> float:
    """Share of the queries whose nearest reference is their original.

    Args:
        similarity: (Q, R), higher is more alike. A tie with another reference counts as a miss.
        truth: for each query the column of its original, or −1 for none (such queries are left out).

    Returns:
        In [0, 1].

    Raises:
        InputError: shapes that do not agree, or no query that has an original.
    """
    scores, places = _checked(similarity, truth)
    rows = np.flatnonzero(places >= 0)
    own = scores[rows, places[rows]]
    others = scores[rows].copy()
    others[np.arange(len(rows)), places[rows]] = -np.inf
    return float(np.mean(own > others.max(axis=1, initial=-np.inf)))


def micro_average_precision(similarity: ArrayLike, truth: ArrayLike) -> float:
    """µAP of the image similarity challenge (arXiv 2106.09672): one ranking of all pairs by score, across queries.

    It asks for one threshold that serves all queries, and punishes distractors (queries without an original).

    Args:
        similarity: (Q, R), higher is more alike.
        truth: for each query the column of its original, or −1 for none.

    Returns:
        Average precision over all Q·R pairs, in [0, 1]; tied pairs count as ranked together.

    Raises:
        InputError: as in :func:`recall_at_1`.
    """
    from sklearn.metrics import average_precision_score

    scores, places = _checked(similarity, truth)
    return float(average_precision_score(_same(scores.shape, places).ravel(), scores.ravel()))


def same_different_auc(scores: ArrayLike, same: ArrayLike) -> float:
    """Area under the ROC curve of the score as a test for "both show the same image".

    Args:
        scores: (N,) similarity of each pair.
        same: (N,) true where both are the same image.

    Returns:
        In [0, 1]; 0.5 is chance.

    Raises:
        InputError: pairs of one kind only, where the area is undefined.
    """
    from sklearn.metrics import roc_auc_score

    values, outcomes = np.asarray(scores), np.asarray(same, dtype=bool)
    if values.shape != outcomes.shape or values.ndim != 1:
        raise InputError(f"scores {values.shape} and same {outcomes.shape} must be one-dimensional and equally long")
    if outcomes.all() or not outcomes.any():
        raise InputError(
            f"all {len(outcomes)} pairs are of one kind", hint="give pairs of the same and of different images"
        )
    return float(roc_auc_score(outcomes, values))


def copy_detection_scores(similarity: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """``recall@1``, ``uap`` and ``auc`` (each query's original against all its other references) of one matrix.

    Args:
        similarity: (Q, R), higher is more alike.
        truth: for each query the column of its original, or −1 for none.
    """
    scores, places = _checked(similarity, truth)
    return {
        "recall@1": recall_at_1(scores, places),
        "uap": micro_average_precision(scores, places),
        "auc": same_different_auc(scores.ravel(), _same(scores.shape, places).ravel()),
    }


def _same(shape: tuple[int, ...], truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    return truth[:, None] == np.arange(shape[1])


def _checked(similarity: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    scores, places = np.asarray(similarity), np.asarray(truth, dtype=np.int64)
    if scores.ndim != 2 or places.shape != scores.shape[:1]:
        raise InputError(
            f"similarity must be (queries, references) with one truth a query, found {scores.shape} and {places.shape}"
        )
    if not (places >= 0).any():
        raise InputError("no query has an original among the references; nothing can be scored")
    if places.max() >= scores.shape[1] or places.min() < -1:
        raise InputError(f"truth must be a column below {scores.shape[1]} or -1, found {places.min()}..{places.max()}")
    return scores, places
