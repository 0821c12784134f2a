"""Kinds of FAISS indexes: which factory suits, which can be used here, and what may be asked of each."""

import math
import re
from typing import Any

from retrieval.arguments import checked_choice
from retrieval.errors import InputError

__all__ = [
    "PREFERENCES",
    "check_factory",
    "choose_factory",
    "construct",
    "faiss_module",
    "innermost",
    "keeps_vectors",
    "nested_parameters",
    "reason_of",
    "takes_selector",
]

#: What a factory may be chosen for: speed, memory, or exact results.
PREFERENCES = ("fast", "small", "exact")
#: Below this many vectors an exhaustive search takes under a millisecond and needs no training.
FLAT_BELOW = 20_000
#: Clusters of an inverted file at most. A search visits a 32nd of the vectors anyway; more clusters would need more to train on.
MOST_LISTS = 4096


def faiss_module() -> Any:
    """FAISS, whose generated classes tell type checkers other arguments than they take."""
    import faiss

    return faiss


def choose_factory(count: int, dimension: int, preference: str) -> str:
    """The FAISS factory string for ``count`` vectors.

    ``exact`` compares with every vector. ``fast`` visits part of the clusters of an inverted file, in 4-bit product
    quantisation with full vectors behind it (Johnson et al. 2019; André et al. 2015). ``small`` keeps the codes alone:
    half a byte for each pair of dimensions (48 bytes at 384) and an id; its candidates are scored again with vectors
    from the store on disk.

    Raises:
        InputError: unknown preference.
    """
    checked_choice("preference", preference, PREFERENCES)
    if preference == "exact" or count < FLAT_BELOW:
        return "Flat"
    lists = min(MOST_LISTS, 2 ** round(math.log2(2 * math.sqrt(count))))
    pieces = max(1, dimension // 4)
    while dimension % pieces:
        pieces -= 1
    return f"IVF{lists},PQ{pieces}x4fs" + (",RFlat" if preference == "fast" else "")


def check_factory(factory: str, dimension: int) -> None:
    """Reject a FAISS factory string that would fail later, in building, searching or saving; takes no vectors.

    Raises:
        InputError: FAISS does not understand it, or it names a kind of index that cannot do what an index here must.
    """
    construct(factory, dimension)


def construct(factory: str, dimension: int) -> Any:
    """The FAISS index of a factory string, checked."""
    faiss = faiss_module()

    try:
        index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise InputError(
            f"FAISS does not understand factory {factory!r} for dimension {dimension}: {reason_of(error)}"
        ) from None
    reason = _unusable(index)
    if reason:
        raise InputError(f"FAISS factory {factory!r} cannot be used: {reason}")
    return index


def reason_of(error: RuntimeError) -> str:
    """What FAISS says, in one line, without the place in its source and the condition there."""
    return re.sub(r"^Error in .*? at \S+:\d+: |Error: '.*?' failed: ", "", str(error).strip().splitlines()[0]).strip()


def _unusable(index: Any) -> str | None:
    """Why an index cannot be filled in steps, searched and saved; None where it can."""
    faiss = faiss_module()

    index = faiss.downcast_index(index)
    name = type(index).__name__
    if isinstance(index, faiss.IndexPreTransform):
        return _unusable(index.index)
    if isinstance(index, faiss.IndexRefine):
        # FAISS ends the process where these give no single distances.
        if not isinstance(faiss.downcast_index(index.refine_index), faiss.IndexFlatCodes):
            return "candidates can be refined with plain vectors or codes only; use RFlat or Refine(SQ8)"
        return _unusable(index.base_index)
    if name.startswith("IndexIDMap"):
        return "passages have ids without it; leave IDMap out"
    if isinstance(index, faiss.IndexNSG | faiss.IndexNNDescent):
        return "its graph takes no additions once it is built; use HNSW"
    if isinstance(index, faiss.IndexIVFAdditiveQuantizerFastScan):
        return "it does not take the number of clusters to visit; leave fs out, or use PQ"
    kinds = faiss.IndexFlatCodes | faiss.IndexFastScan | faiss.IndexHNSW | faiss.IndexIVF
    if not isinstance(index, kinds) or isinstance(index, faiss.IndexLattice):
        return f"indexes of FAISS's class {name} cannot be added to or saved"
    return None


def takes_selector(index: Any) -> bool:
    """Whether FAISS can restrict a search to some of the vectors."""
    faiss = faiss_module()

    index = innermost(index)
    if isinstance(index, faiss.IndexIVF):
        return not isinstance(index, faiss.IndexIVFAdditiveQuantizer)
    return isinstance(index, faiss.IndexFlat | faiss.IndexScalarQuantizer | faiss.IndexHNSW)


def innermost(index: Any) -> Any:
    """What searches inside a composite index."""
    faiss = faiss_module()

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        return innermost(index.base_index)
    if isinstance(index, faiss.IndexPreTransform):
        return innermost(index.index)
    return index


def keeps_vectors(index: Any) -> Any:
    """The part of an approximate index from which single vectors can be read; None where there is none."""
    faiss = faiss_module()

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        return faiss.downcast_index(index.refine_index)
    return index if isinstance(index, faiss.IndexHNSW) else None


def nested_parameters(index: Any, selector: Any, effort: int | None, rerank: int) -> Any:
    """Parameters for each layer of a composite index, outermost first; ``effort`` as of :meth:`FaissIndex._effort`."""
    faiss = faiss_module()

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexRefine):
        base = nested_parameters(index.base_index, selector, effort, rerank)
        return faiss.IndexRefineSearchParameters(k_factor=float(rerank), base_index_params=base)
    if isinstance(index, faiss.IndexPreTransform):
        return faiss.SearchParametersPreTransform(index_params=nested_parameters(index.index, selector, effort, rerank))
    if isinstance(index, faiss.IndexIVF):
        options = {"sel": selector} if selector is not None else {}
        kind = faiss.IVFPQSearchParameters if isinstance(index, faiss.IndexIVFPQ) else faiss.SearchParametersIVF
        return kind(nprobe=effort, **options)
    if isinstance(index, faiss.IndexHNSW):
        options = {"sel": selector} if selector is not None else {}
        return faiss.SearchParametersHNSW(efSearch=effort, **options)
    return None if selector is None else faiss.SearchParameters(sel=selector)
