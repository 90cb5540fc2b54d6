"""Predictions whose labels are given, and files of polygons read by other programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import rasterize

from napari_relay.exporting.vectors import ObjectOptions, PredictedObject, strips
from napari_relay.exporting.vectors.finding import ObjectFinder
from napari_relay.exporting.vectors.outlines import ExactOutlines, Outlines
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions
from napari_relay.inference.tile import PredictedTile
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata
from tests.inference.samples import make_image, value_checkpoint

EVERYTHING = ObjectOptions(include_background=True)
NAMES = ("background", "mound", "moat")
UTM = {
    "pixel_size": (0.5, 0.5),
    "unit": "m",
    "crs": "EPSG:32648",
    "affine": (0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0),
}
DEGREES = {
    "pixel_size": (1e-5, 1e-5),
    "unit": "degree",
    "crs": "EPSG:4326",
    "affine": (1e-5, 0.0, 103.8, 0.0, -1e-5, 13.4),
}
SLIDE = {"pixel_size": (0.25, 0.25), "unit": "um"}
ROTATED = {**UTM, "affine": (0.4, 0.3, 400_000.0, 0.3, -0.4, 1_500_000.0)}
SOUTH_UP = {**UTM, "affine": (0.5, 0.0, 400_000.0, 0.0, 0.5, 1_500_000.0)}
ROTATED_DEGREES = {**DEGREES, "affine": (8e-6, 6e-6, 103.8, 6e-6, -8e-6, 13.4)}
SOUTH_UP_DEGREES = {**DEGREES, "affine": (1e-5, 0.0, 103.8, 0.0, 1e-5, 13.4)}

Labels = NDArray[np.uint8]


def checkpoint(names: tuple[str, ...] = NAMES) -> Checkpoint:
    known = value_checkpoint(len(names), crop_size=64)
    metadata = ModelMetadata("tiny", ClassSchema.from_names(names), ("a",), (0.0,), (1.0,))
    return Checkpoint(known.model, metadata)


def make_prediction(
    folder: Path, labels: Labels, names: tuple[str, ...] = NAMES, **fields: object
) -> tuple[PredictionStore, PyramidImage]:
    """A prediction on disk with these labels; 255: not predicted."""
    image = make_image(labels[..., None], **fields)
    options = PredictOptions(device="cpu", attention=False)
    store = PredictionStore.create(folder, image, checkpoint(names), options)
    paint(store, labels)
    return store, image


def paint(
    store: PredictionStore,
    labels: Labels,
    confidence: Labels | None = None,
    disagreement: Labels | None = None,
) -> None:
    """Predict other labels, with 200 / 255 and 100 / 255 unless told otherwise."""
    sure = np.full_like(labels, 200) if confidence is None else confidence
    apart = np.full_like(labels, 100) if disagreement is None else disagreement
    tiles = []
    for position in np.ndindex(store.grid.shape):
        area = store.grid.tile(*position).slices
        parts = (labels[area], sure[area], sure[area], apart[area])
        tiles.append(PredictedTile(position, *parts, None, None))
    store.write(tiles)


def random_labels(
    seed: int, shape: tuple[int, int], side: int, count: int = 3, unknown: bool = False
) -> Labels:
    """Blocks of random classes, ``side`` px high and ``side + 1`` wide."""
    rng = np.random.default_rng(seed)
    rows, cols = shape
    blocks = rng.integers(0, count, (rows // side + 1, cols // (side + 1) + 1)).astype(np.uint8)
    if unknown:
        blocks[rng.random(blocks.shape) < 0.1] = 255
    return blocks.repeat(side, 0).repeat(side + 1, 1)[:rows, :cols]


@contextmanager
def thin_strips(runs: int) -> Iterator[None]:
    """Read the store a few rows at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "_RUNS", runs)
        yield


@contextmanager
def many_steps() -> Iterator[None]:
    """Read the store by single rows of chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "_PIXELS", 1)
        yield


def found_polygons(
    store: PredictionStore,
    image: PyramidImage,
    options: ObjectOptions = EVERYTHING,
    outlines: Outlines | None = None,
) -> tuple[list[PredictedObject], NDArray[np.object_]]:
    """Objects, and their outlines in pixel corners."""
    finder = ObjectFinder(store, image, options, outlines or ExactOutlines())
    parts = [f for strip in strips.read_strips(store) for f in finder.find(strip)]
    described = [one for part in parts for one in part.described]
    return described, np.concatenate([part.polygons for part in parts])


def read_file(path: Path) -> tuple[dict[str, NDArray[np.object_]], NDArray[np.object_]]:
    """Columns and polygons of a file, as GDAL reads them."""
    about, _, shapes, columns = pyogrio.raw.read(path)
    return dict(zip(about["fields"], columns, strict=True)), shapely.from_wkb(shapes)


def draw(
    shapes: NDArray[np.object_], labels: NDArray[np.integer], image: PyramidImage
) -> NDArray[np.uint8]:
    """Polygons drawn again on the image's pixels; 255 where there is none."""
    place = Affine.identity() if image.affine is None else Affine(*image.affine)
    pairs = list(zip(shapes, labels.tolist(), strict=True))
    drawn: NDArray[np.uint8] = rasterize(
        pairs, image.shape, fill=255, transform=place, dtype="uint8"
    )
    return drawn
