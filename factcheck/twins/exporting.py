"""What the networks do where ``torch.export`` leaves height and width open, so that one graph serves every size.

Elsewhere sizes are numbers, and the networks branch on them: is there padding, does a window divide the map? While a graph is
recorded for all sizes, each such branch would hold for some sizes only, and the export would fail or run at those alone. Here
nothing branches. Map sizes become numbers unknown to the recorder (:func:`unknown`), about which no branch can be recorded, and
padding, windows and their masks are places that the graph computes and reads from.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import has_static_value

__all__ = ["WindowPlaces", "fill_cells", "open_sizes", "unknown", "window_places"]


def open_sizes(*sizes: int) -> bool:
    """Whether a graph is being exported that leaves one of these sizes open, so that nothing may branch on its value."""
    return torch.compiler.is_exporting() and not all(has_static_value(size) for size in sizes)


def unknown(size: int) -> int:
    """A positive size as the graph computes it, which the export then takes for any number.

    As an expression of the input's sizes it would be compared with 1, with its neighbours and with multiples of itself by every
    view and every test of memory layout, and each answer would become a condition on the input.
    """
    number = cast(int, torch.full((), size, dtype=torch.int64).item())  # int() would ask for its value
    torch._check(number >= 1)
    return number


def fill_cells(x: Tensor, r: int) -> tuple[Tensor, tuple[int, int]]:
    """A map filled up with zeros on the right and at the bottom to whole r x r cells.

    Args:
        x: (B, H, W, C). r: side of a cell.

    Returns:
        (B, rows * r, columns * r, C), and (rows, columns) = (ceil(H/r), ceil(W/r)).
    """
    h, w = x.shape[1:3]
    rows, columns = unknown((h + r - 1) // r), unknown((w + r - 1) // r)
    i, j = torch.arange(rows * r, device=x.device), torch.arange(columns * r, device=x.device)
    x = x.index_select(1, i.clamp(max=h - 1)).index_select(2, j.clamp(max=w - 1))
    inside = (i < h)[:, None] & (j < w)
    return torch.where(inside[..., None], x, 0.0), (rows, columns)


class WindowPlaces(NamedTuple):
    """Where the tokens of a map stand in whole windows, row by row, the last ones reaching over the border.

    ``tokens``: (windows * n,), for each of n = k1 * k2 places of a window its token's number in the map, for places over the
    border any token's. ``inside``: (windows, n), false for those. ``places``: (H*W,), each token's place.
    """

    tokens: Tensor
    inside: Tensor
    places: Tensor


def window_places(size: tuple[int, int], window: tuple[int, int], device: torch.device) -> WindowPlaces:
    """The places for a map of ``size`` (H, W) and windows of ``window`` (k1, k2) tokens."""
    (h, w), (k1, k2) = size, window
    n, columns = k1 * k2, (w + k2 - 1) // k2
    windows = unknown((h + k1 - 1) // k1 * columns)
    place = torch.arange(windows * n, device=device)
    number, within = place // n, place % n
    i, j = number // columns * k1 + within // k2, number % columns * k2 + within % k2
    tokens = i.clamp(max=h - 1) * w + j.clamp(max=w - 1)
    inside = ((i < h) & (j < w)).view(windows, n)
    token = torch.arange(h * w, device=device)
    i, j = token // w, token % w
    return WindowPlaces(tokens, inside, (i // k1 * columns + j // k2) * n + i % k1 * k2 + j % k2)
