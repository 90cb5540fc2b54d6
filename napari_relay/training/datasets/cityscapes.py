"""Cityscapes (Cordts et al., CVPR 2016): street scenes, 19 classes.

Names, label ids, train ids and colours are those of ``helpers/labels.py`` in the
authors' cityscapesScripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_relay.training.datasets.dataset import RGB, SPLITS, Dataset, Split
from napari_relay.training.datasets.layout import not_laid_out, require
from napari_relay.training.datasets.mask_file import ClassTable
from napari_relay.training.datasets.pair import Pair, require_masks
from relay_tokens import ClassSchema, SegmentationClass

NAME = "cityscapes"
IMAGES, LABELS = "leftImg8bit", "gtFine"
IMAGE_END, LABEL_END = "_leftImg8bit.png", "_gtFine_labelIds.png"
LAYOUT = (
    "Cityscapes: leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and "
    "gtFine/SPLIT/CITY/*_gtFine_labelIds.png for the splits train, val and test"
)
REMEDY = "unpack gtFine_trainvaltest.zip beside leftImg8bit_trainvaltest.zip"
CLASSES = (
    (7, "road", "#804080"),
    (8, "sidewalk", "#f423e8"),
    (11, "building", "#464646"),
    (12, "wall", "#66669c"),
    (13, "fence", "#be9999"),
    (17, "pole", "#999999"),
    (19, "traffic light", "#faaa1e"),
    (20, "traffic sign", "#dcdc00"),
    (21, "vegetation", "#6b8e23"),
    (22, "terrain", "#98fb98"),
    (23, "sky", "#4682b4"),
    (24, "person", "#dc143c"),
    (25, "rider", "#ff0000"),
    (26, "car", "#00008e"),
    (27, "truck", "#000046"),
    (28, "bus", "#003c64"),
    (31, "train", "#005064"),
    (32, "motorcycle", "#0000e6"),
    (33, "bicycle", "#770b20"),
)
"""Label id, name and colour, in the order of the train ids 0 to 18."""
TABLE = ClassTable({label: train for train, (label, _, _) in enumerate(CLASSES)})


def open_cityscapes(folder: Path) -> Dataset:
    """Find the images and fine annotations of Cityscapes.

    Parameters
    ----------
    folder
        Holds ``leftImg8bit`` and ``gtFine``.

    Raises
    ------
    UserError
        When the folder is laid out otherwise, or an image to learn or to
        validate on has no annotation.
    """
    require(folder, IMAGES, LAYOUT)
    require(folder, LABELS, LAYOUT)
    pairs = [pair for split in SPLITS for pair in _pairs(folder, split)]
    if not pairs:
        raise not_laid_out(folder, f"there are no images in {IMAGES}", LAYOUT)
    require_masks([pair for pair in pairs if pair.split != "test"], REMEDY)
    labelled = [pair for pair in pairs if pair.mask.exists()]
    lost = len(pairs) - len(labelled)
    return Dataset(
        name=NAME,
        folder=folder,
        classes=ClassSchema(tuple(SegmentationClass(name, color) for _, name, color in CLASSES)),
        bands=RGB,
        samples=tuple(pair.sample(RGB, TABLE) for pair in labelled),
        source="Cityscapes (Cordts et al., CVPR 2016)",
        notes=(f"{lost} test images have no annotation and are left out.",) if lost else (),
    )


def _pairs(folder: Path, split: Split) -> Iterator[Pair]:
    for path in sorted((folder / IMAGES / split).glob(f"*/[!.]*{IMAGE_END}")):
        name = path.name.removesuffix(IMAGE_END)
        mask = folder / LABELS / split / path.parent.name / (name + LABEL_END)
        yield Pair(name, split, path, mask)
