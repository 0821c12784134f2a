"""Low-rank updates of a classifier's weights (LoRA, Hu et al., arXiv 2106.09685), kept apart from the model that they are of."""

from collections.abc import Mapping

from torch import Tensor, nn, no_grad

from retrieval.errors import as_input_error

__all__ = ["SCALE", "add_adapter"]

#: What the product of the two thin matrices is multiplied by.
SCALE = 2.0


def add_adapter(model: nn.Module, adapter: Mapping[str, Tensor]) -> None:
    """Add an adapter to the weights of a model, in place.

    Args:
        model: the one that it was trained on.
        adapter: for a weight W (out, in) ``NAME.a`` (r, in) and ``NAME.b`` (out, r), which make it W + 2·b·a; under any other name
            a tensor that takes the model's place.

    Raises:
        InputError: it is of another model.
    """
    parameters = dict(model.named_parameters())
    with as_input_error("an adapter of another model", KeyError, RuntimeError), no_grad():
        for name, value in adapter.items():
            module, _, kind = name.rpartition(".")
            if kind == "a":
                product = adapter[f"{module}.b"].float() @ value.float()  # (out, in)
                parameters[f"{module}.weight"].add_(product, alpha=SCALE)
            elif kind != "b":
                parameters[name].copy_(value)
