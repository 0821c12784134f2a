"""A batch sampler for mixtures of data sets: weighted, length-bucketed, the same on every run, resumable at any batch."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from factcheck.errors import InputError
from retrieval.arguments import checked_int

__all__ = ["MixtureBatchSampler"]


class MixtureBatchSampler(Sampler[list[int]]):
    """Batches of row numbers, drawn by weight and grouped by length.

    A row of weight 2 comes twice an epoch, one of weight 0.25 in every fourth epoch on average (systematic resampling, so
    that the number of rows is the same in every epoch). The order is a function of ``seed`` and ``epoch`` alone.

    Args:
        lengths: cost of each row (for example its characters); rows of like length share a batch, which saves padding.
        weights: expected draws of each row in an epoch, ≥ 0.
        batch_size: rows in a batch; the last may be smaller.
        seed: any integer.
        rank, replicas: this process's share in distributed training: every ``replicas``-th batch.
        bucket: batches that are sorted together; larger saves more padding and mixes lengths less.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        weights: Sequence[float],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        replicas: int = 1,
        bucket: int = 50,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.weights = np.asarray(weights, dtype=np.float64)
        checked_int("batch_size", batch_size, 1)
        if len(self.lengths) != len(self.weights) or self.weights.sum() <= 0 or (self.weights < 0).any():
            raise InputError("sampling weights must be non-negative, one a row, and not all zero")
        self.batch_size, self.seed, self.bucket = batch_size, seed, bucket
        self.rank, self.replicas = rank, replicas
        self.epoch = 0
        self.skip = 0
        self.rows = max(1, round(float(self.weights.sum())))

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.rows / self.batch_size) / self.replicas)

    def set_epoch(self, epoch: int, skip: int = 0) -> None:
        """Choose the epoch, and how many of its batches a resumed run has seen already (for the next pass only)."""
        self.epoch, self.skip = epoch, skip

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches()
        skip, self.skip = self.skip, 0
        yield from batches[skip:]

    def _batches(self) -> list[list[int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        # Systematic resampling over a fresh permutation: exactly `rows` draws, each row within one of its weight.
        order = rng.permutation(len(self.weights))
        edges = np.cumsum(self.weights[order]) * (self.rows / self.weights.sum())
        points = np.minimum(np.arange(self.rows) + rng.random(), edges[-1] - 1e-9)
        drawn = rng.permutation(order[np.searchsorted(edges, points, side="right")])
        batches: list[list[int]] = []
        size = self.batch_size * self.bucket
        for start in range(0, len(drawn), size):
            chunk = drawn[start : start + size]
            chunk = chunk[np.argsort(self.lengths[chunk], kind="stable")]
            batches += [chunk[i : i + self.batch_size].tolist() for i in range(0, len(chunk), self.batch_size)]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        # Every process must take the same number of steps: the list is padded by its own beginning, again and again where
        # there are more processes than batches.
        share = range(self.rank, len(self) * self.replicas, self.replicas)
        return [batches[i % len(batches)] for i in share]
