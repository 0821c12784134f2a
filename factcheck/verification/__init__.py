"""Batch verification: ``Verifier`` (pure, one batch) and ``verify_file`` (streaming, resumable)."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.verification.stream import verify_file
    from factcheck.verification.verifier import Verifier

__all__ = [
    "Verifier",
    "verify_file",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Verifier": ".verifier",
        "verify_file": ".stream",
    },
)
