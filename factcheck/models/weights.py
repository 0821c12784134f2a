"""Files of weights that came from somewhere: read without running what they say, and refused where they are no numbers."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from factcheck.errors import InputError

__all__ = ["read_checkpoint"]


def read_checkpoint(path: str | Path, *, mmap: bool = False) -> dict[str, Any]:
    """The content of a training checkpoint: tensors and plain values, on the CPU.

    Args:
        path: a file on this machine. An address (``https://…``, ``file://…``) is refused: whoever reads one would take whatever
            the other end gives at that moment.
        mmap: leave tensors on the disk until they are used, for a look at the rest.

    Raises:
        InputError: no such file, not a checkpoint, or one that holds other Python objects, which unpickling would run.
    """
    text = str(path)
    if "://" in text:
        raise InputError(
            f"checkpoint {text!r} is an address", field="ckpt_path", hint="fetch it first and give the name of the file"
        )
    if not Path(path).is_file():
        raise InputError(f"checkpoint {text!r}: no such file", field="ckpt_path", hint="`fit` writes checkpoints")
    try:
        if not zipfile.is_zipfile(path):  # an older format of PyTorch, and anything else
            raise pickle.UnpicklingError
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
    except OSError as error:
        raise InputError(f"checkpoint {text!r} cannot be read: {error.strerror or error}", field="ckpt_path") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError):
        content = None  # what PyTorch says here advises to run the code that an unknown file holds
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise InputError(
            f"{text!r} is not a checkpoint of tensors and plain values",
            field="ckpt_path",
            hint="give a .ckpt file that `fit` wrote",
        )
    return content
