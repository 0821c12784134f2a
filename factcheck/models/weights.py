"""Training checkpoints: opened without running what they say."""

from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.weights import load_plain

__all__ = ["read_checkpoint"]

_ADVICE = "give a .ckpt file that `fit` wrote"


def read_checkpoint(path: str | Path, *, mmap: bool = False) -> dict[str, Any]:
    """The content of a training checkpoint: tensors and plain values, on the CPU.

    Args:
        path: a file on this machine. An address (``https://…``, ``file://…``) is refused: whoever reads one would take whatever
            the other end gives at that moment.
        mmap: leave tensors on the disk until they are used, for a look at the rest.

    Raises:
        InputError: no such file, not a checkpoint, or one that holds other Python objects, which unpickling would run.
    """
    content = load_plain(path, mmap=mmap)
    if not isinstance(content.get("state_dict"), dict):
        raise InputError(
            f"{str(path)!r} is not a training checkpoint: it has no state_dict", field="ckpt_path", hint=_ADVICE
        )
    return content
