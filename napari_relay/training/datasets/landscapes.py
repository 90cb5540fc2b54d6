"""Synthetic landscapes, as ``napari-relay landscape`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_relay.landscapes import LANDSCAPE_CLASSES
from napari_relay.training.datasets.dataset import RGB, SPLITS, Dataset, Sample, Split
from napari_relay.training.datasets.layout import not_laid_out
from napari_relay.training.datasets.mask_file import ClassTable, MaskFile

NAME = "landscape"
LAYOUT = (
    "landscapes: SPLIT/NAME/orthophoto.tif, elevation.tif and labels.tif for the splits train, "
    "val and test; write one with: napari-relay landscape FOLDER/train/NAME --seed 1"
)
BANDS = (*RGB, "elevation")
"""Photograph, then metres above the sea."""
TABLE = ClassTable({value: value for value in range(len(LANDSCAPE_CLASSES))})


def open_landscapes(folder: Path) -> Dataset:
    """Find written landscapes.

    Parameters
    ----------
    folder
        Holds ``train`` and maybe ``val`` and ``test``, each with folders that
        :func:`napari_relay.landscapes.write_landscape` wrote.

    Raises
    ------
    UserError
        When there is no landscape to train on or to test with.
    """
    samples = tuple(sample for split in SPLITS for sample in _samples(folder, split))
    if not samples:
        raise not_laid_out(folder, "there are no landscapes", LAYOUT)
    return Dataset(
        name=NAME,
        folder=folder,
        classes=LANDSCAPE_CLASSES,
        bands=BANDS,
        samples=samples,
        source="synthetic land that `napari-relay landscape` computed",
    )


def _samples(folder: Path, split: Split) -> Iterator[Sample]:
    for labels in sorted((folder / split).glob("*/labels.tif")):
        files = (labels.with_name("orthophoto.tif"), labels.with_name("elevation.tif"))
        yield Sample(f"{split}/{labels.parent.name}", split, files, BANDS, MaskFile(labels, TABLE))
