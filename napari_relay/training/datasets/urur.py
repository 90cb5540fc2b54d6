"""URUR (Ji et al., CVPR 2023): aerial images of 5120 × 5120 pixels, 8 classes.

The layout, and the colours that stand for the classes in the label files'
palettes, are those of ``urur_datamodule.py`` in the code of Perron et al.
(TMLR 2026), whose order of the classes is kept, so that their models fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_relay.training.datasets.dataset import RGB, SPLITS, Dataset, Split
from napari_relay.training.datasets.layout import files_in, not_laid_out, require
from napari_relay.training.datasets.mask_file import ClassTable, color_code
from napari_relay.training.datasets.pair import Pair, require_masks
from relay_tokens import ClassSchema, SegmentationClass

NAME = "urur"
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg")
LAYOUT = "URUR: SPLIT/image/*.tif and SPLIT/label/*.png for the splits train, val and test"
CLASSES = (
    ("others", "#000000"),
    ("building", "#e6e6e6"),
    ("greenhouse", "#646464"),
    ("woodland", "#c8e6a0"),
    ("farmland", "#5fa307"),
    ("bareland", "#ffff64"),
    ("water", "#96c8fa"),
    ("road", "#f06450"),
)
"""Name and colour; any other colour, such as white, is not labelled."""
TABLE = ClassTable(colors={color_code(color): k for k, (_, color) in enumerate(CLASSES)})


def open_urur(folder: Path) -> Dataset:
    """Find the images and labels of URUR.

    Parameters
    ----------
    folder
        Holds ``train``, ``val`` and ``test``, the official split.

    Raises
    ------
    UserError
        When the folder is laid out otherwise, or an image has no label file.
    """
    for split in SPLITS:
        require(folder, f"{split}/image", LAYOUT)
        require(folder, f"{split}/label", LAYOUT)
    pairs = [pair for split in SPLITS for pair in _pairs(folder, split)]
    if not pairs:
        raise not_laid_out(folder, "there are no images", LAYOUT)
    require_masks(pairs, "copy the whole dataset, or remove the image")
    return Dataset(
        name=NAME,
        folder=folder,
        classes=ClassSchema(tuple(SegmentationClass(*entry) for entry in CLASSES)),
        bands=RGB,
        samples=tuple(pair.sample(RGB, TABLE) for pair in pairs),
        source="URUR (Ji et al., CVPR 2023)",
    )


def _pairs(folder: Path, split: Split) -> Iterator[Pair]:
    for path in files_in(folder / split / "image", IMAGE_SUFFIXES):
        mask = folder / split / "label" / f"{path.stem}.png"
        yield Pair(f"{split}/{path.stem}", split, path, mask)
