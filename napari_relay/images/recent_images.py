"""The images that a person worked on last, kept on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from napari_relay.folders import data_folder
from napari_relay.geometry import Window
from relay_tokens import UserError

MOST = 12
"""How many are kept; those worked on longest ago go first."""


@dataclass(frozen=True)
class RecentImage:
    """An image, and where a person was in it."""

    paths: tuple[Path, ...]
    """Its file or folder, or the rasters of one place that it was put together from."""
    model: str | None = None
    """Name of a model of the zoo, or the folder of another; None: none was chosen."""
    version: int = 0
    """Which version of the model; 0: as it was loaded."""
    view: Window | None = None
    """Level-0 pixels that were on screen; None: not known."""

    @property
    def name(self) -> str:
        """What a person reads."""
        return " + ".join(path.name for path in self.paths)

    @property
    def missing(self) -> Path | None:
        """The first of its files that is not where it was."""
        return next((path for path in self.paths if not _exists(path)), None)


def recent_images() -> tuple[RecentImage, ...]:
    """The images worked on last, the latest first; empty where the record is damaged."""
    try:
        entries = json.loads(_record().read_text(encoding="utf-8"))
        found = [_read(entry) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ()
    return tuple(found[:MOST])


def remember_image(image: RecentImage) -> None:
    """Put an image first, in place of what was known of it.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    image = replace(image, paths=tuple(path.absolute() for path in image.paths))
    others = [known for known in recent_images() if known.paths != image.paths]
    _write((image, *others)[:MOST])


def forget_image(image: RecentImage) -> None:
    """Take an image out of the list; the file itself stays.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    _write(tuple(known for known in recent_images() if known.paths != image.paths))


def _read(entry: dict[str, object]) -> RecentImage:
    paths, view, model = entry["paths"], entry["view"], entry["model"]
    if not isinstance(paths, list) or not paths:
        raise ValueError("no paths")
    if not isinstance(view, list | None) or not isinstance(model, str | None):
        raise ValueError("no view or model")
    return RecentImage(
        tuple(Path(path) for path in paths),
        model,
        int(str(entry["version"])),
        None if view is None else Window(*(int(side) for side in view)),
    )


def _write(images: tuple[RecentImage, ...]) -> None:
    record = _record()
    scratch = record.with_name(f"{record.name}.{uuid4().hex}.partial")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps([_entry(i) for i in images], indent=1), encoding="utf-8")
        scratch.replace(record)
    except OSError as error:
        raise UserError(
            f"The list of recent images cannot be kept in {record.parent} ({error.strerror}); "
            "make room there or change its permissions."
        ) from error


def _entry(image: RecentImage) -> dict[str, object]:
    view = image.view
    return {
        "paths": [str(path) for path in image.paths],
        "model": image.model,
        "version": image.version,
        "view": None if view is None else [view.y0, view.x0, view.height, view.width],
    }


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a network disk that is away
        return False


def _record() -> Path:
    return data_folder() / "recent-images.json"
