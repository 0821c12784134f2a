"""Training checkpoints of verdict models: opened without unpickling arbitrary classes."""

from pathlib import Path
from typing import Any

from factcheck.data import ClaimsFormat
from factcheck.errors import InputError
from factcheck.models.weights import read_checkpoint
from factcheck.training.options import group_of
from factcheck.training.verdict.module import VerdictModule
from factcheck.training.verdict.rows import EvidenceSelection, Reading
from factcheck.weights import check_weights

__all__ = ["load_checkpoint", "load_weights", "training_format"]


def training_format(path: str | Path) -> ClaimsFormat:
    """How a checkpoint's training data was written, columns and all.

    Weights are not read, and what is not a checkpoint tells of none: :func:`load_checkpoint` says what is wrong with it.
    """
    try:
        stored = read_checkpoint(path, mmap=True).get("datamodule_hyper_parameters", {})
        return group_of(Reading, stored.get("reading", {})).claims_format(stored.get("columns") or None)
    except (InputError, TypeError):
        return ClaimsFormat()


def load_checkpoint(
    path: str | Path, kind: type[VerdictModule] = VerdictModule
) -> tuple[VerdictModule, EvidenceSelection]:
    """The trained module of a checkpoint, in evaluation mode, and the evidence selection it was trained with.

    Args:
        path: the checkpoint.
        kind: the class that it is of. A checkpoint's own word for it is not taken: it would import what the file says.

    Raises:
        InputError: no checkpoint of such a module, or one that holds NaN or infinity.
    """
    checkpoint = read_checkpoint(path)
    stored = checkpoint.get("hyper_parameters", {})
    named, wanted = stored.get("_class_path"), f"{kind.__module__}.{kind.__qualname__}"
    if named not in (None, wanted):
        raise InputError(
            f"checkpoint {str(path)!r} is of {named}, not of {wanted}",
            field="module",
            hint=f"if you trust that class, name it (`module` {named})",
        )
    settings = {name: value for name, value in stored.items() if not name.startswith("_")}
    try:
        module = kind(**settings)
        selection = EvidenceSelection(**checkpoint.get("datamodule_hyper_parameters", {}).get("selection", {}))
    except TypeError as error:
        raise InputError(f"{str(path)!r} is not a checkpoint of a {kind.__name__} of this release: {error}") from None
    _fill(module, checkpoint["state_dict"], path)
    return module.eval(), selection


def load_weights(module: VerdictModule, path: str | Path) -> None:
    """Give a module the weights of a checkpoint.

    Raises:
        InputError: no checkpoint of such a module, or one that holds NaN or infinity.
    """
    _fill(module, read_checkpoint(path)["state_dict"], path)


def _fill(module: VerdictModule, state: dict[str, Any], path: str | Path) -> None:
    check_weights(state, f"checkpoint {str(path)!r}", "give one of a training that did not diverge")
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{str(path)!r} is not a checkpoint of this model: {' '.join(str(error).split())[:300]}"
        ) from None
