"""Any network of timm as the backbone of an image encoder: its maps, stage by stage, as those of Twins."""

from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.weights import load_plain
from retrieval.errors import first_line

__all__ = ["PREFIX", "TimmBackbone"]

#: What names a network of timm where a name of ours would stand (``timm:convnext_tiny``).
PREFIX = "timm:"
_MAPS = 4  # of networks with more stages, or blocks that are all alike, so many, evenly spread, the last one included


class TimmBackbone(nn.Module):
    """A network of timm without its classifier.

    Args:
        name: its name in timm, perhaps with a tag of weights (``convnext_tiny.in12k``).
        input_size: side in pixels of the square input; None for the one of timm's weights.

    Attributes:
        input_size: that side.
        mean, std: normalisation of the input that timm's weights expect.
        channels: of the maps of :meth:`stage_maps`.
        num_features: of the last of them.

    Raises:
        InputError: timm has no such network, or one that shows no maps, or it does not take that size.
    """

    def __init__(self, name: str, input_size: int | None = None) -> None:
        super().__init__()
        self.net: Any = _network(name, input_size)
        settings = self.net.pretrained_cfg
        self.input_size = input_size or int(settings["input_size"][-1])
        self.mean, self.std = tuple(settings["mean"]), tuple(settings["std"])
        count = len(self.net.feature_info)
        self.indices = sorted({count - 1 - i * count // _MAPS for i in range(_MAPS)})
        self.channels = [int(self.net.feature_info[i]["num_chs"]) for i in self.indices]
        self.num_features = self.channels[-1]
        try:
            with torch.no_grad():
                self.eval().stage_maps(torch.zeros(1, 3, self.input_size, self.input_size))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise _unread(name, self.input_size, error) from None

    def stage_maps(self, x: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, S, S) to maps (B, C, h, w) of rising depth."""
        maps = self.net.forward_intermediates(
            x, indices=self.indices, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return list(maps)

    def load_pretrained(self) -> None:
        """Take timm's own weights, from its hub or cache.

        Raises:
            InputError: they cannot be fetched.
        """
        try:
            timm.models.load_pretrained(self.net, num_classes=0)
        except Exception as error:  # of the hub, the network, the disk: it says what it is
            raise InputError(
                f"timm's weights of {self.net.pretrained_cfg.get('architecture')!r} cannot be fetched: {first_line(error)}",
                field="image_weights",
                hint="offline, give a file of them, or null for random weights",
            ) from None

    def load_weights(self, path: str | Path) -> None:
        """Take the weights of a state dict as timm saves it; the classifier is left out.

        Raises:
            InputError: the file cannot be read, or its tensors are not those of the network.
        """
        content = load_plain(path)
        for wrapped in ("state_dict", "state_dict_ema", "model"):
            if isinstance(content.get(wrapped), dict):
                content = content[wrapped]
        wanted = self.net.state_dict()
        missing = sorted(wanted.keys() - content.keys())
        wrong = sorted(name for name in wanted.keys() & content.keys() if wanted[name].shape != content[name].shape)
        if missing or wrong:
            raise InputError(
                f"{str(path)!r} holds no weights of this network: {len(missing)} tensors are missing {missing[:2]}, {len(wrong)} have "
                f"another shape {wrong[:2]}",
                field="image_weights",
                hint="give the state dict that timm saves of it, at the same `image_size`",
            )
        self.net.load_state_dict({name: content[name] for name in wanted})


def _network(name: str, input_size: int | None) -> Any:
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.partition('.')[0][:12]}*")[:5]
        raise InputError(
            f"timm has no network {name!r}",
            field="image_encoder",
            hint=f"names like it are {', '.join(near)}" if near else "timm.list_models() lists them",
        )
    create: Any = timm.create_model
    try:
        network = create(name, num_classes=0, **({"img_size": input_size} if input_size else {}))
    except TypeError:  # networks of convolutions take any size and no such argument
        network = create(name, num_classes=0)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _unread(name, input_size, error) from None
    if not (hasattr(network, "forward_intermediates") and hasattr(network, "feature_info")):
        raise InputError(f"timm's {name!r} does not show the maps of its stages", field="image_encoder")
    return network


def _unread(name: str, size: int | None, error: Exception) -> InputError:
    return InputError(
        f"timm's {name!r} does not read images of {size} pixels a side ({' '.join(str(error).split())[:120]})",
        field="image_size",
        hint="give another `image_size`, or none for its own",
    )
