"""Ids of documents: numbers that stand for whole ones, and ids that occur more than once, found in little memory."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np

from retrieval.errors import InputError

__all__ = ["check_unique", "whole_number"]

#: Ids hashed at once.
_CHUNK = 8192


def whole_number(value: Any) -> Any:
    """An int for a whole float or decimal (an integer column with a gap, as pandas writes it; a database's key), else ``value``."""
    is_whole = isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value


def check_unique(ids: Callable[[], Iterable[str]]) -> None:
    """Refuse repeated ids: by their hashes, 8 bytes each, and only where those repeat by the ids themselves.

    Args:
        ids: gives all ids, each time it is called.

    Raises:
        InputError: an id occurs more than once.
    """
    from pandas.util import hash_array

    def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        stream = iter(ids())
        while part := list(islice(stream, _CHUNK)):
            names = np.array(part, dtype=object)
            yield names, hash_array(names, categorize=False)

    hashes = [part for _, part in chunks()]
    found, counts = np.unique(np.concatenate(hashes or [np.empty(0, np.uint64)]), return_counts=True)
    del hashes
    suspects = found[counts > 1]
    if not len(suspects):
        return
    counted: Counter[str] = Counter()
    for names, part in chunks():
        counted.update(names[np.isin(part, suspects)].tolist())
    repeated = [name for name, count in counted.items() if count > 1]
    if repeated:
        raise InputError(
            f"{len(repeated)} document ids occur more than once in the corpus (first: {repeated[0]!r}); "
            "give every document its own id, or leave the id column out"
        )
