"""Copy detection: does an altered copy find its original, and are copies told from other photos?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from factcheck.errors import InputError

__all__ = ["copy_detection_scores", "micro_average_precision", "recall_at_1", "same_different_auc"]


def recall_at_1(similarity: ArrayLike, truth: Sequence[int]) -> float:
    """Share of the queries whose nearest reference is their original.

    Args:
        similarity: (Q, R), higher is more alike. A tie with another reference counts as a miss.
        truth: for each query the column of its original, or −1 for none (such queries are left out).

    Returns:
        In [0, 1].

    Raises:
        InputError: shapes that do not agree, or no query that has an original.
    """
    similarity, truth = _checked(similarity, truth)
    rows = np.flatnonzero(truth >= 0)
    own = similarity[rows, truth[rows]]
    others = similarity[rows].copy()
    others[np.arange(len(rows)), truth[rows]] = -np.inf
    return float(np.mean(own > others.max(axis=1, initial=-np.inf)))


def micro_average_precision(similarity: ArrayLike, truth: Sequence[int]) -> float:
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

    similarity, truth = _checked(similarity, truth)
    return float(average_precision_score(_pairs(similarity.shape, truth).ravel(), similarity.ravel()))


def same_different_auc(scores: ArrayLike, same: ArrayLike) -> float:
    """Area under the ROC curve of the score as a test for "both show the same photo".

    Args:
        scores: (N,) similarity of each pair.
        same: (N,) true where both are the same photo.

    Returns:
        In [0, 1]; 0.5 is chance.

    Raises:
        InputError: pairs of one kind only, where the area is undefined.
    """
    from sklearn.metrics import roc_auc_score

    scores, same = np.asarray(scores), np.asarray(same, dtype=bool)
    if scores.shape != same.shape or scores.ndim != 1:
        raise InputError(f"scores {scores.shape} and same {same.shape} must be one-dimensional and equally long.")
    if same.all() or not same.any():
        raise InputError(f"All {len(same)} pairs are of one kind; give pairs of the same and of different photos.")
    return float(roc_auc_score(same, scores))


def copy_detection_scores(similarity: ArrayLike, truth: Sequence[int]) -> dict[str, float]:
    """``recall@1``, ``uap`` and ``auc`` (each query's original against all its other references) of one matrix.

    Args:
        similarity: (Q, R), higher is more alike.
        truth: for each query the column of its original, or −1 for none.
    """
    similarity, truth = _checked(similarity, truth)
    return {
        "recall@1": recall_at_1(similarity, truth),
        "uap": micro_average_precision(similarity, truth),
        "auc": same_different_auc(similarity.ravel(), _pairs(similarity.shape, truth).ravel()),
    }


def _pairs(shape: tuple[int, int], truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    return truth[:, None] == np.arange(shape[1])


def _checked(similarity: ArrayLike, truth: Sequence[int]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    similarity, truth = np.asarray(similarity), np.asarray(truth, dtype=np.int64)
    if similarity.ndim != 2 or truth.shape != similarity.shape[:1]:
        raise InputError(
            f"similarity must be (queries, references) with one truth a query; got {similarity.shape} and {truth.shape}."
        )
    if not (truth >= 0).any():
        raise InputError("No query has an original among the references; nothing can be scored.")
    if truth.max() >= similarity.shape[1] or truth.min() < -1:
        raise InputError(f"truth must be a column below {similarity.shape[1]} or -1; got {truth.min()}..{truth.max()}.")
    return similarity, truth
