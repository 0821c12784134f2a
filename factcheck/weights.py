"""Tensors that others made: read without running anybody's code, checked for NaN, hashed."""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from factcheck.errors import InputError
from retrieval.arguments import checked_file
from retrieval.errors import as_input_error

__all__ = ["check_weights", "digest", "load_plain", "not_finite", "read_safetensors"]

_KINDS = "give a .ckpt file that `fit` wrote, or a .safetensors, .pth, .pt or .bin file of tensors"


def load_plain(path: str | Path, *, mmap: bool = False) -> dict[str, Any]:
    """The content of a ``.safetensors`` file, or of a PyTorch file, of which only tensors and plain data are read.

    The one place where a PyTorch file is opened: a pickle can run any code, so nothing but tensors and plain values is ever
    unpickled, and nothing is fetched from an address.

    Args:
        path: a local file.
        mmap: leave tensors on the disk until they are used.

    Raises:
        InputError: no such file, an address, or no mapping of names that could be read in this way.
    """
    name = str(path)
    if "://" in name or name.startswith("file:"):
        raise InputError(
            f"{name!r} is an address, and checkpoints are read from local files", hint="fetch it, if you trust it"
        )
    path = checked_file(f"checkpoint {name!r}", path, hint=_KINDS)
    if path.suffix == ".safetensors":
        return dict(read_safetensors(path))
    try:
        # The reference implementation's training script stores its command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except OSError as error:
        raise InputError(f"checkpoint {name!r} cannot be read ({error.strerror or error})") from None
    except (
        Exception
    ):  # hostile bytes raise anything: UnpicklingError, RuntimeError, EOFError, KeyError, UnicodeDecodeError, …
        # What PyTorch says here advises to run the code that an unknown file holds.
        raise InputError(f"{name!r} is not a checkpoint", hint=_KINDS) from None
    if not isinstance(content, Mapping):
        raise InputError(
            f"{name!r} holds a {type(content).__name__}, expected a mapping of names to tensors", hint=_KINDS
        )
    return dict(content)


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        InputError: no such file, or a damaged one.
    """
    checked_file(str(path), path)
    with as_input_error(f"{path} is damaged", SafetensorError, OSError, ValueError):
        return load_file(path)


def check_weights(state: Mapping[str, Tensor], where: str, advice: str) -> None:
    """Refuse weights that hold NaN or infinity.

    Args:
        state: tensors by name.
        where: what holds them, as the message begins (``checkpoint 'x.ckpt'``).
        advice: what to do, as it ends.

    Raises:
        InputError: names the first such tensor.
    """
    if (name := not_finite(state)) is not None:
        raise InputError(f"{where}: the tensor {name!r} holds NaN or infinity", hint=advice)


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity; None if there is none."""
    for name, tensor in tensors.items():
        # Both ends are NaN where any value is: one pass, an order of magnitude faster than `isfinite` of every value.
        if tensor.is_floating_point() and tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():
            return name
    return None


def digest(tensors: Mapping[str, Tensor]) -> str:
    """64 hexadecimal digits that change with any name or value."""
    result = hashlib.sha256()
    for name in sorted(tensors):
        result.update(name.encode())
        # As bytes: NumPy has no bfloat16.
        result.update(tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return result.hexdigest()
