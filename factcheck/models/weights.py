"""Training checkpoints, opened without running what they say, and weights for a model that starts from another."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.models.folder import load_model
from factcheck.models.token_relations import extend_relations
from factcheck.models.verdict import VerdictModel
from factcheck.weights import load_plain, not_finite

__all__ = ["load_compatible_weights", "read_checkpoint"]

_RELATIONS = "match_embed.weight"
_TEXT = "text."
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


def load_compatible_weights(model: VerdictModel, source: Path, keep: tuple[str, ...] = ()) -> tuple[int, int]:
    """Copy every tensor of a model folder or training checkpoint that fits by name and shape.

    Of a text transformer of another depth or kind nothing is taken: some of its layers above other embeddings would be noise.
    Of a model that was told of words alone, the embedding of token relations is extended for one that is told of values too.

    Args:
        model: takes the tensors.
        source: model folder or checkpoint.
        keep: prefixes of tensors that stay as they are.

    Returns:
        How many of the model's tensors were loaded, and how many were left as they were.

    Raises:
        InputError: ``source`` is neither, shares no tensor with the model, or holds NaN or infinity.
    """
    if source.is_dir():
        state = load_model(source)[0].state_dict()
    elif source.is_file():
        checkpoint = read_checkpoint(source)
        prefix = "model."
        state = {n[len(prefix) :]: t for n, t in checkpoint["state_dict"].items() if n.startswith(prefix)}
    else:
        raise InputError(f"`init_from` {str(source)!r} is neither a model folder nor a checkpoint", field="init_from")
    own = model.state_dict()
    if _of_text(own) != _of_text(state):
        keep = (*keep, _TEXT)
    if _RELATIONS in own and _RELATIONS in state and len(state[_RELATIONS]) < len(own[_RELATIONS]):
        state = {**state, _RELATIONS: extend_relations(state[_RELATIONS], len(own[_RELATIONS]))}
    fitting = {n: t for n, t in state.items() if n in own and own[n].shape == t.shape and not n.startswith(keep)}
    if not fitting:
        raise InputError(f"init_from: {source} shares no tensor with the model that is being trained")
    if (name := not_finite(fitting)) is not None:
        raise InputError(
            f"init_from: the tensor {name!r} of {source} holds NaN or infinity; "
            "start from a model whose training did not diverge"
        )
    model.load_state_dict(fitting, strict=False)
    return len(fitting), len(own) - len(fitting)


def _of_text(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith(_TEXT)}
