"""Training checkpoints: opened without unpickling arbitrary classes."""

import pickle
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.models.folder import check_weights
from factcheck.models.verdict import current_settings
from factcheck.training.verdict.module import VerdictModule

__all__ = ["load_checkpoint", "training_columns"]

_PREPROCESSING = {"top_k": 5, "retrieval_encoder": "bundled", "retrieval_method": "hybrid", "min_share": 0.0}


def training_columns(path: str | Path) -> dict[str, str] | None:
    """The names of columns that a checkpoint's training data had, as ``{"claim": "text"}``; None where it tells of none.

    Weights are not read, and what is no checkpoint tells of none: :func:`load_checkpoint` says what is wrong with it.
    """
    import torch

    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, KeyError):
        return None
    data = checkpoint.get("datamodule_hyper_parameters") if isinstance(checkpoint, dict) else None
    return (data or {}).get("columns") or None


def load_checkpoint(path: str | Path) -> tuple[VerdictModule, dict[str, Any]]:
    """The trained module of a checkpoint, in evaluation mode, and the evidence selection it was trained with.

    Raises:
        InputError: no checkpoint of :class:`~factcheck.training.verdict.module.VerdictModule`, or one that holds NaN or infinity.
    """
    import torch

    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise InputError(f"checkpoint {str(path)!r} cannot be read: {error.strerror or error}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError):
        # What PyTorch says here advises to run the code that an unknown file holds.
        raise InputError(f"{str(path)!r} is no checkpoint; give a .ckpt file that 'factcheck fit' wrote") from None
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise InputError(f"{str(path)!r} is no Lightning checkpoint: it has no state_dict")
    check_weights(checkpoint["state_dict"], f"checkpoint {str(path)!r}", "give one of a training that did not diverge")
    stored = current_settings(checkpoint.get("hyper_parameters", {}))
    settings = {name: value for name, value in stored.items() if not name.startswith("_")}
    try:
        module = VerdictModule(**settings)
        module.load_state_dict(checkpoint["state_dict"])
    except (TypeError, RuntimeError) as error:
        raise InputError(
            f"{str(path)!r} is no checkpoint of a VerdictModule of this release: {str(error).splitlines()[0]}"
        ) from None
    data = checkpoint.get("datamodule_hyper_parameters", {})
    return module.eval(), {name: data.get(name, default) for name, default in _PREPROCESSING.items()}
