"""What a file can sensibly say of itself, and what a window of it may cost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from napari_relay.images.chunk_cache import CACHE_BYTES
from napari_relay.images.source import LAZY_CHUNK_BYTES, ImageSource, Placement
from relay_tokens import UserError

MOST_PIXELS = 2**40
"""Pixels of the largest image that is believed: a million a side."""
MOST_BANDS = 4096
"""Bands of an image that is believed."""
PIXELS_PER_BYTE = 2**16
"""Pixels that a byte of a file can stand for: more than any codec packs into one,
but for an image of one colour alone."""
MOST_CHUNK_BYTES = 2**32
"""Largest piece that can be decoded at once."""
WINDOW_SIDE = 512
"""Side of the window whose cost decides whether a level is read lazily."""
WINDOW_BYTES = CACHE_BYTES // 2
"""What may be decoded for a window: half of what the chunk cache holds."""
PIXEL_SIZES = (1e-9, 1e9)
"""Sizes of a pixel that are believed, in any unit."""
REMEDY = "copy it again or export it anew"
"""What a person can do about a damaged file."""


def is_lazy(shape: tuple[int, int, int], chunk: tuple[int, int], chunk_bytes: int) -> bool:
    """Whether windows of a level can be read without decoding much more than them.

    Neighbouring windows share their chunks in the chunk cache; strips of a very
    wide image do not fit into it, and every window would decode them again.

    Parameters
    ----------
    shape
        Rows, columns, bands of the level.
    chunk
        Rows and columns that are decoded at once.
    chunk_bytes
        Bytes of such a chunk with all its bands.
    """
    touched = math.prod(
        math.ceil(min(WINDOW_SIDE, size) / side)
        for size, side in zip(shape[:2], chunk, strict=True)
    )
    return chunk_bytes <= LAZY_CHUNK_BYTES and touched * chunk_bytes <= WINDOW_BYTES


def check_size(path: Path, rows: int, cols: int, bands: int) -> None:
    """Refuse a size that no image has, before memory is reserved for it.

    Raises
    ------
    UserError
        When there are no pixels, or too many to be true.
    """
    if not rows * cols * bands:
        raise UserError(f"{path} has no pixels; export it anew.")
    if rows * cols > MOST_PIXELS or bands > MOST_BANDS:
        raise UserError(
            f"{path} claims to have {cols} × {rows} pixels in {bands} bands, which cannot be; "
            f"{REMEDY}."
        )


def check_content(path: Path, pixels: int, length: int, ratio: int = PIXELS_PER_BYTE) -> None:
    """Refuse a file that is far too short for its pixels.

    Raises
    ------
    UserError
        When each of its ``length`` bytes would stand for more than ``ratio`` pixels.
    """
    if pixels > ratio * length:
        raise UserError(
            f"{path} claims to have {pixels} pixels in {length} bytes, which cannot be; {REMEDY}."
        )


def check_chunk(path: Path, chunk_bytes: int) -> None:
    """Refuse a file that can only be decoded in pieces that do not fit into memory.

    Raises
    ------
    UserError
        When a piece has more than 4 GiB.
    """
    if chunk_bytes > MOST_CHUNK_BYTES:
        raise UserError(
            f"{path} can only be decoded in pieces of {chunk_bytes / 1e9:.0f} GB; "
            "convert it to a tiled TIFF."
        )


def plausible(placement: Placement) -> Placement:
    """A placement without a pixel size or an affine that cannot be."""
    size, affine = placement.pixel_size, placement.affine
    if size is not None and not all(PIXEL_SIZES[0] <= side <= PIXEL_SIZES[1] for side in size):
        placement = replace(placement, pixel_size=None, unit=None)
    if affine is not None and not _is_invertible(affine):
        placement = replace(placement, affine=None, pixel_size=None, unit=None)
    return placement


def with_pixel_size(source: ImageSource, size: float, unit: str) -> ImageSource:
    """The source with a pixel size for want of one of its own.

    Raises
    ------
    UserError
        When the size is not a positive number.
    """
    if not PIXEL_SIZES[0] <= size <= PIXEL_SIZES[1]:
        raise UserError(
            f"{source.path} cannot have pixels of {size:g} {unit}; give a positive pixel size."
        )
    if source.placement.pixel_size is not None:
        return source
    return replace(source, placement=replace(source.placement, pixel_size=(size, size), unit=unit))


def damaged(path: Path, rows: slice, cols: slice, remedy: str = REMEDY) -> UserError:
    """What to say of pixels that cannot be decoded."""
    return UserError(f"{path} is damaged around row {rows.start}, column {cols.start}; {remedy}.")


def _is_invertible(affine: tuple[float, float, float, float, float, float]) -> bool:
    """Whether an affine gives every pixel a place and an area."""
    a, b, _, d, e, _ = affine
    area = abs(a * e - b * d)
    return all(map(math.isfinite, affine)) and PIXEL_SIZES[0] ** 2 <= area <= PIXEL_SIZES[1] ** 2
