"""Attention maps laid over the image they are of, readable: smooth colours, and the windows or cells drawn.

What :mod:`factcheck.twins.attention_maps` says of attention holds here: it is no explanation of a verdict.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from factcheck.errors import InputError
from factcheck.twins.attention_maps import AttentionMap
from retrieval.arguments import checked_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["attention_overlay"]

_SIDE = 448


def attention_overlay(
    found: AttentionMap, image: Image.Image, *, index: int = 0, strength: float = 0.6, tiles: bool = True
) -> Image.Image:
    """The image with what a block attends to in colour: dark where attention is less than even, bright where it is more.

    Args:
        found: the attention of one block, see :func:`factcheck.twins.attention_maps.attention_maps`.
        image: the photo that the map is of; it is drawn at the map's proportions, as the encoder sees it.
        index: which of the map's B images it is.
        strength: opacity of the colours in [0, 1].
        tiles: draw LSA's windows (white; attention stays inside them) or the cells that GSA summarises (thin).

    Returns:
        An RGB image whose longer side is 448 pixels.

    Raises:
        InputError: ``index`` or ``strength`` is out of range.

    Example:
        >>> import torch
        >>> from factcheck.twins import attention_maps, twins_svt_small
        >>> maps = attention_maps(twins_svt_small().eval(), torch.zeros(1, 3, 224, 224))
        >>> attention_overlay(maps[0], Image.new("RGB", (300, 300))).size
        (448, 448)
    """
    if not 0 <= index < found.grid.shape[0]:
        raise InputError(f"`index` is {index}, but the map is of {found.grid.shape[0]} images", field="index")
    checked_share("strength", strength)
    height, width = found.image.shape[1:]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grid = found.grid[index].float().cpu().numpy()
    # Attention is uneven by factors, not by amounts: a third and three times the even share are equally far from it.
    shares = np.clip(np.log2(np.maximum(grid, 1e-6)) / 2, -1, 1) * 0.5 + 0.5
    rows, columns = grid.shape
    whole = max(1, round(columns * found.cell[1] * scale)), max(1, round(rows * found.cell[0] * scale))
    smooth = (
        Image.fromarray((shares * 255).astype(np.uint8)).resize(whole, Image.Resampling.BICUBIC).crop((0, 0, *size))
    )
    colours = Image.fromarray(_colours(np.asarray(smooth)))
    plain = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    result = Image.blend(plain.convert("L").convert("RGB"), colours, strength)
    if tiles:
        _draw_tiles(result, found, scale)
    return result


def _colours(values: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    from matplotlib import colormaps

    return (colormaps["inferno"](values)[..., :3] * 255).astype(np.uint8)


def _draw_tiles(image: Image.Image, found: AttentionMap, scale: float) -> None:
    colour, line = ("#ffffff", 2) if found.window else ("#8899aa", 1)
    draw = ImageDraw.Draw(image)
    height, width = (scale * side for side in found.window or found.cell)
    for number in range(1, round(image.width / width + 0.499)):
        draw.line([(number * width, 0), (number * width, image.height)], fill=colour, width=line)
    for number in range(1, round(image.height / height + 0.499)):
        draw.line([(0, number * height), (image.width, number * height)], fill=colour, width=line)
