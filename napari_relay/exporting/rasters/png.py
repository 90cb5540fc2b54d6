"""Rasters as PNG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_relay.exporting.rasters.colors import color_table
from napari_relay.exporting.rasters.content import RasterContent
from relay_tokens import UserError

LARGEST_PNG = 8192
"""Longest side of a PNG, in pixels: it is made in memory."""
DESCRIPTION = "Description"
"""Name of the text in which a PNG describes itself."""


def check_png(path: Path, content: RasterContent) -> None:
    """Refuse what is too large for a PNG, or has several bands."""
    if max(content.shape) > LARGEST_PNG:
        raise UserError(
            f"{path} would be {max(content.shape)} px wide or high and PNG is for up to "
            f"{LARGEST_PNG}; choose a name that ends in .tif."
        )
    if len(content.description.bands) > 1:
        raise UserError(
            f"{path} would have {len(content.description.bands)} bands, which PNG does not know; "
            "choose a name that ends in .tif."
        )


def write_png(path: Path, content: RasterContent) -> Iterator[tuple[int, int]]:
    """Write a PNG whose pixel values are the raster's, clear where there is no data.

    Yields
    ------
    tuple of int
        Parts that are written, and all parts.
    """
    height, width = content.shape
    side = max(height, width)
    values = content.tile(0, 0, 0, side)[0, :height, :width]
    image = Image.fromarray(values)
    if content.description.is_mask:
        image.putpalette(color_table(content.description.classes).tobytes())
    text = PngInfo()
    text.add_text(DESCRIPTION, json.dumps(content.description.to_json()))
    image.save(path, format="PNG", transparency=content.description.nodata, pnginfo=text)
    yield 1, 1
