"""A plain folder: images, masks, and what the masks' pixels mean.

``images/NAME.*`` goes with ``masks/NAME.png``, ``.tif`` or polygons; ``classes.json``
lists the classes; ``split.json``, which may be missing, says what is learnt and what is
measured on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from napari_relay.images import image_suffixes, open_image
from napari_relay.training.datasets.class_list import Words, read_class_list, read_words
from napari_relay.training.datasets.dataset import SPLITS, Dataset, Sample, Split
from napari_relay.training.datasets.layout import files_in, listed, not_laid_out, require
from napari_relay.training.datasets.mask_file import ClassTable
from napari_relay.training.datasets.pair import Pair, require_masks
from napari_relay.training.imported import VECTOR_SUFFIXES
from napari_relay.training.imported.training_labels import LabelPolygons
from relay_tokens import ClassSchema, UserError

NAME = "folder"
LAYOUT = (
    "a folder of images/NAME.*, masks/NAME.png, .tif or a vector file, classes.json and, if need "
    "be, split.json"
)
MASK_SUFFIXES = (".png", ".tif", ".tiff", *VECTOR_SUFFIXES)
TRAINED, VALIDATED = 0.8, 0.1
"""Shares of the images that are trained and validated on when no file says so."""


def open_folder(folder: Path) -> Dataset:
    """Find the images and masks of a plain folder.

    Parameters
    ----------
    folder
        Holds ``images``, ``masks``, ``classes.json`` and perhaps ``split.json``.

    Raises
    ------
    UserError
        When the folder is laid out otherwise, an image has no mask or shares
        its name, or a JSON file does not say what it should.
    """
    images = _images(folder)
    require(folder, "masks", LAYOUT)
    listing = require(folder, "classes.json", LAYOUT)
    schema, table = read_class_list(listing)
    words = read_words(listing, schema)
    splits, notes = _splits(folder / "split.json", list(images))
    pairs = [Pair(n, splits[n], images[n], _mask(folder, n)) for n in images if n in splits]
    require_masks(pairs, "draw it, or take the image out of the folder")
    bands = open_image(pairs[0].image).bands
    return Dataset(
        name=NAME,
        folder=folder,
        classes=schema,
        bands=bands,
        samples=tuple(
            _sample(pair, bands, schema, table, words)
            for split in SPLITS
            for pair in pairs
            if pair.split == split
        ),
        source=f"the folder {folder.resolve().name}",
        notes=notes,
    )


def _sample(
    pair: Pair, bands: tuple[str, ...], schema: ClassSchema, table: ClassTable, words: Words
) -> Sample:
    """A pair with its mask, or with its polygons."""
    sample = pair.sample(bands, table)
    if pair.mask.suffix.lower() not in VECTOR_SUFFIXES:
        return sample
    return replace(sample, labels=LabelPolygons(pair.mask, schema, words))


def _images(folder: Path) -> dict[str, Path]:
    """Images by name."""
    found = files_in(require(folder, "images", LAYOUT), image_suffixes())
    if not found:
        raise not_laid_out(folder, "there are no images in images", LAYOUT)
    count = Counter(map(_name, found))
    twice = [path.name for path in found if count[_name(path)] > 1]
    if twice:
        raise UserError(f"{folder / 'images'}: {listed(twice)} share a name; rename one of them.")
    return {_name(path): path for path in found}


def _name(path: Path) -> str:
    """Name of a sample: without ``.tif``, ``.ome.tif`` or ``.ome.zarr``."""
    return path.stem.removesuffix(".ome")


def _mask(folder: Path, name: str) -> Path:
    """The mask of an image; where there is none, the path it should have."""
    paths = [folder / "masks" / (name + suffix) for suffix in MASK_SUFFIXES]
    return next((path for path in paths if path.exists()), paths[0])


def _splits(path: Path, names: Sequence[str]) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Split of each image that is used, and what a person should know."""
    if not path.exists():
        return {name: split_by_name(name) for name in names}, ()
    splits = _read_splits(path)
    absent = sorted(set(splits) - set(names))
    if absent:
        raise UserError(f"{path} names {listed(absent)}, which images does not hold; correct it.")
    lost = [name for name in names if name not in splits]
    if len(lost) == len(names):
        raise UserError(f"{path} names no image; list names under train, val and test.")
    return splits, (f"{path.name} leaves out {listed(lost)}.",) if lost else ()


def _read_splits(path: Path) -> dict[str, Split]:
    """Split of each name that ``split.json`` lists."""
    lists = _parsed(path)
    splits: dict[str, Split] = {}
    for split in SPLITS:
        for name in lists.get(split, []):
            if name in splits:
                raise UserError(f"{path} lists {name} twice; leave it in one list.")
            splits[name] = split
    return splits


def _parsed(path: Path) -> Mapping[str, list[str]]:
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); correct it there.") from error
    is_table = isinstance(lists, dict) and set(lists) <= set(SPLITS)
    if not is_table or not all(_is_name_list(names) for names in lists.values()):
        raise UserError(
            f'{path} does not read {{"train": [NAMES], "val": [NAMES], "test": [NAMES]}}; '
            "write it so, or remove it for a random split."
        )
    found: Mapping[str, list[str]] = lists
    return found


def _is_name_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def split_by_name(name: str) -> Split:
    """Split of an image that no file assigns: 80 % train, 10 % val, 10 % test.

    It depends on the name alone (the first 8 bytes of its SHA-256), so it stays
    the same on every machine and when other images come or go.
    """
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TRAINED:
        return "train"
    return "val" if share < TRAINED + VALIDATED else "test"
