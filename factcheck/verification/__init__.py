"""Batch verification: ``Verifier`` (pure, one batch) and ``verify_file`` (streaming, resumable)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factcheck.verification.stream import verify_file
    from factcheck.verification.verifier import Verifier

__all__ = ["Verifier", "verify_file"]


def __getattr__(name: str) -> object:
    if name == "Verifier":
        from factcheck.verification.verifier import Verifier

        return Verifier
    if name == "verify_file":
        from factcheck.verification.stream import verify_file

        return verify_file
    raise AttributeError(f"module 'factcheck.verification' has no attribute {name!r}")
