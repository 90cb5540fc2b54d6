"""What a batch keeps on disk: how it is done, and what came out for each image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_relay.whole_file import write_whole
from relay_tokens import UserError

SETTINGS = "batch.json"
"""In the folder of a batch: the model and the filters."""
DONE = "done.json"
"""In the folder of an image: what came out."""


@dataclass(frozen=True)
class ImageRecord:
    """What came out for one image."""

    path: str
    """The image."""
    stamp: tuple[int, int]
    """Its size in bytes and time of change, which tell when it was replaced."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    pixel_area: float
    """Area of a pixel in :attr:`unit`; 1 without one."""
    unit: str
    """``"m2"``, ``"um2"`` or ``"px"``."""
    pixels: Mapping[str, int]
    """Pixels of each class."""
    covered: float
    """Share of the image that is predicted or left out as background."""
    seconds: float
    """Of the run that ended it."""

    @classmethod
    def read(cls, folder: Path) -> ImageRecord | None:
        """What is recorded in an image's folder; None where it is not done."""
        try:
            values = json.loads((folder / DONE).read_text(encoding="utf-8"))
            return cls(**{**values, "stamp": tuple(values["stamp"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, folder: Path) -> None:
        """Record it, in one step."""
        write_whole(folder / DONE, json.dumps(asdict(self), indent=1) + "\n")


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, or of a folder's own entry.

    Raises
    ------
    UserError
        When it is not there.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    return found.st_size if path.is_file() else 0, found.st_mtime_ns


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write down how a batch is done, or refuse to go on in another way.

    Raises
    ------
    UserError
        When the folder holds a batch that is done otherwise, or cannot be written.
    """
    path = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, json.dumps(settings, indent=1) + "\n")
            return
        known = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be used ({error.strerror or error}); choose another one."
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); delete it, or choose another folder."
        ) from error
    differing = [name for name in settings if known.get(name) != settings[name]]
    if differing:
        raise UserError(
            f"{folder} holds a batch with another {' and '.join(differing)}; choose another folder "
            "or ask for the same."
        )
