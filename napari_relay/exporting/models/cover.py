"""The picture by which a model package is recognised."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from relay_tokens import Checkpoint

_SIZE = (800, 400)
_SIDE = 320
_MARGIN = 40
_BACKGROUND, _INK, _FAINT = "#20252b", "#ffffff", "#8d99a6"
_ROWS = 7
"""Classes that have room."""


def draw_cover(checkpoint: Checkpoint, labels: NDArray[np.uint8]) -> Image.Image:
    """Draw two nested crops and the classes.

    Parameters
    ----------
    checkpoint
        The model.
    labels
        ``(rows, cols)`` that it makes of a sample, shown in the colours of its classes.

    Returns
    -------
    Image.Image
        RGB, twice as wide as high, as BioImage.IO asks.
    """
    cover = Image.new("RGB", _SIZE, _BACKGROUND)
    draw = ImageDraw.Draw(cover)
    _draw_crops(cover, draw, checkpoint, labels)
    left = _MARGIN * 2 + _SIDE
    draw.text((left, _MARGIN), checkpoint.metadata.name, _INK, _font(26))
    draw.text((left, _MARGIN + 38), "segmentation with relay tokens", _FAINT, _font(17))
    _draw_classes(draw, checkpoint, left)
    return cover


def _draw_crops(
    cover: Image.Image,
    draw: ImageDraw.ImageDraw,
    checkpoint: Checkpoint,
    labels: NDArray[np.uint8],
) -> None:
    """The window of the global crop as a frame, that of the local one as what is in it."""
    side = round(_SIDE / max(1, min(checkpoint.model.config.context_factor or 1, 2)))
    first = _MARGIN + (_SIDE - side) // 2
    colors = [tuple(bytes.fromhex(color[1:])) for color in checkpoint.metadata.classes.colors]
    picture = Image.fromarray(np.array(colors, np.uint8)[labels])
    cover.paste(picture.resize((side, side), Image.Resampling.NEAREST), (first, first))
    draw.rectangle((first, first, first + side, first + side), outline=_INK, width=2)
    end = _MARGIN + _SIDE
    draw.rectangle((_MARGIN, _MARGIN, end, end), outline=_FAINT, width=2)


def _draw_classes(draw: ImageDraw.ImageDraw, checkpoint: Checkpoint, left: int) -> None:
    classes = list(checkpoint.metadata.classes)
    shown = classes if len(classes) <= _ROWS else classes[: _ROWS - 1]
    for row, each in enumerate(shown):
        top = 140 + 32 * row
        draw.rectangle((left, top, left + 20, top + 20), fill=each.color)
        draw.text((left + 32, top - 2), each.name, _INK, _font(18))
    if len(shown) < len(classes):
        top = 140 + 32 * len(shown)
        draw.text((left, top), f"and {len(classes) - len(shown)} more", _FAINT, _font(18))


def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
