"""The torch device that a user names, checked before anything is loaded for it."""

from typing import TYPE_CHECKING

from factcheck.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["find_device"]


def find_device(device: "str | torch.device | None") -> "torch.device":
    """The device of that name; None is the CPU.

    Raises:
        InputError: no such name, or this machine or this build of PyTorch has no such device.
    """
    import torch

    here = "'cpu'"
    if torch.cuda.is_available():
        here += "".join(f", 'cuda:{i}'" for i in range(torch.cuda.device_count()))
    if torch.backends.mps.is_available():
        here += ", 'mps'"
    try:
        found = torch.device("cpu" if device is None else device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):  # each backend has its own way to be missing
        raise InputError(
            f"device {str(device)!r} is not available on this machine, which has {here}", field="device"
        ) from None
    if found.type == "meta":
        raise InputError(f"device {str(device)!r} holds no values; this machine has {here}", field="device")
    return found
