"""What a verdict depends on beside the row and the models."""

from dataclasses import dataclass

from retrieval.arguments import checked_choice, checked_int, checked_share
from retrieval.search.select import METHODS

__all__ = ["RUNTIMES", "VerifierOptions"]

#: How the text models can run.
RUNTIMES = ("torch", "int8")


@dataclass(frozen=True, kw_only=True)
class VerifierOptions:
    """What a verdict depends on beside the row and the models.

    Attributes:
        top_k: evidence sentences a row, ≥ 1.
        retrieval_method: ``hybrid``, ``dense`` or ``bm25``.
        min_share: in [0, 1]; sentences that score less than this share of the best are left out, see
            :func:`retrieval.select_evidence`.
        attribution: compute what each evidence sentence contributes (one more pass of the text model a sentence).
        photo_attribution: compute what each photo contributes to the stance (one more pass of the text model a photo).
        abstain_below: confidence in [0, 1] under which a verdict counts as abstained; None takes the model's threshold.
        batch_size: rows a forward pass, ≥ 1; bounds memory, changes no result.
        runtime: ``torch``, or ``int8`` to multiply in 8 bits on the CPU: faster, probabilities differ slightly.

    Raises:
        InputError: an option is of the wrong kind or out of range.
    """

    top_k: int = 5
    retrieval_method: str = METHODS[0]
    min_share: float = 0.0
    attribution: bool = True
    photo_attribution: bool = False
    abstain_below: float | None = None
    batch_size: int = 32
    runtime: str = RUNTIMES[0]

    def __post_init__(self) -> None:
        for name in ("top_k", "batch_size"):
            object.__setattr__(self, name, checked_int(name, getattr(self, name), 1))
        for name in ("min_share", "abstain_below"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, checked_share(name, value))
        for name, known in (("retrieval_method", METHODS), ("runtime", RUNTIMES)):
            checked_choice(name, getattr(self, name), known)
