"""Open a dataset by its kind and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from napari_relay.training.datasets import (
    archaeoscape,
    cityscapes,
    folder,
    gleason,
    landscapes,
    urur,
)
from napari_relay.training.datasets.dataset import Dataset
from relay_tokens import UserError

KINDS: Mapping[str, Callable[[Path], Dataset]] = {
    archaeoscape.NAME: archaeoscape.open_archaeoscape,
    cityscapes.NAME: cityscapes.open_cityscapes,
    folder.NAME: folder.open_folder,
    gleason.NAME: gleason.open_gleason,
    landscapes.NAME: landscapes.open_landscapes,
    urur.NAME: urur.open_urur,
}
"""What opens each kind of dataset."""


def dataset_names() -> tuple[str, ...]:
    """Kinds that :func:`open_dataset` knows."""
    return tuple(KINDS)


def open_dataset(text: str) -> Dataset:
    """Find the samples of a dataset, without opening their images.

    Parameters
    ----------
    text
        ``KIND:FOLDER``, e.g. ``cityscapes:/data/cityscapes``.

    Raises
    ------
    UserError
        When there is no such kind or folder, or the folder is laid out otherwise.
    """
    kind, colon, path = text.partition(":")
    if not colon or kind not in KINDS:
        known = ", ".join(f"{name}:FOLDER" for name in KINDS)
        raise UserError(f"{text!r} names no dataset; write one of {known}.")
    root = Path(path).expanduser()
    if not path or not root.is_dir():
        raise UserError(f"{path!r} is not a folder; write {kind}: and where the dataset lies.")
    try:
        return KINDS[kind](root)
    except OSError as error:
        raise UserError(
            f"{error.filename or root} cannot be read ({error.strerror}); check its permissions."
        ) from error
