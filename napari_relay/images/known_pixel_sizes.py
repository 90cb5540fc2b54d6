"""Pixel sizes that a person gave for images whose files do not say them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from napari_relay.folders import data_folder
from napari_relay.images.pyramid import PyramidImage
from napari_relay.whole_file import write_whole
from relay_tokens import UserError

_PROBE = 64 * 1024


def with_known_pixel_size(image: PyramidImage) -> PyramidImage:
    """The image with the pixel size that was given for it before, if its file has none.

    It is found again wherever the file was moved to.
    """
    if image.pixel_size is not None:
        return image
    try:
        row, col, unit = json.loads(_record(image.source).read_text())
    except (OSError, ValueError, TypeError):
        return image
    return replace(image, pixel_size=(float(row), float(col)), unit=str(unit))


def remember_pixel_size(image: PyramidImage) -> None:
    """Keep the image's pixel size for the next opening.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    if image.pixel_size is None:
        return
    record = _record(image.source)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        write_whole(record, json.dumps([*image.pixel_size, image.unit]))
    except OSError as error:
        raise UserError(
            f"The pixel size of {image.source} cannot be kept in {record.parent} "
            f"({error.strerror}); make room there or change its permissions."
        ) from error


def _record(path: Path) -> Path:
    """File of an image, by its size, its beginning and its end."""
    digest = hashlib.sha256(path.name.encode() if path.is_dir() else _ends(path))
    return data_folder() / "pixel-sizes" / f"{digest.hexdigest()[:16]}.json"


def _ends(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_PROBE)
        file.seek(max(size - _PROBE, 0))
        return str(size).encode() + start + file.read(_PROBE)
