"""What is corrected in the benchmark of correcting: images of a shifted domain, and their truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, landscape_image
from napari_relay.images.halving import halve
from napari_relay.images.source import ImageSource, Placement
from napari_relay.landscapes import Landscape, LandscapeLabels, LandscapeStyle, Plan, Soil
from napari_relay.landscapes.placement import level_factors
from napari_relay.samples import sample_slide
from napari_relay.tissues import Staining, TissueCore, tissue_image
from napari_relay.training import ArrayLabels, LabelledImage, labelled_image
from napari_relay.training.splits import SpatialSplit
from napari_relay.training.stain_labels import StainLabels
from napari_relay.training.training_data import image_data

DomainName = Literal["landscape", "tissue"]
LANDSCAPE_SCALE = 0.5
"""Of the land the shipped landscape model was trained on."""
SHIFTED_LAND = LandscapeStyle(Soil.LOESS, Plan.COURTS, 2.0)
"""Other soil, other site plan, coarser terrain."""
BASE_LAND = 31
"""Seed of the land of the usual style that is measured on: none the model was trained on."""
HELD_OUT, SPLIT_SEED = 0.2, 0
"""Of the training of the shipped tissue model: which blocks of the slide it never saw."""

Truth = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Ground:
    """An image, and what it truly shows."""

    image: PyramidImage
    """In memory."""
    truth: Truth
    """``(rows, cols)`` class of each pixel; 255 where it is unknown."""

    @property
    def labels(self) -> ArrayLabels:
        """The truth as a label source."""
        return ArrayLabels(self.truth)


@dataclass(frozen=True)
class Domain:
    """A kind of image that differs from what a shipped model was trained on."""

    name: DomainName
    """In the results."""
    model: str
    """The shipped model that is corrected."""
    draw: Callable[[int, int], Ground]
    """Draws the image of a seed and a side, in pixels."""
    base: Callable[[int], LabelledImage]
    """Opens what the shipped model knows, held out from its training; a crop size is given."""


def draw_landscape(seed: int, side: int) -> Ground:
    """A landscape of :data:`SHIFTED_LAND`."""
    land = Landscape(seed, (side, side), LANDSCAPE_SCALE, SHIFTED_LAND)
    return Ground(landscape_image(land), land.read_labels(land.window))


def draw_tissue(seed: int, side: int) -> Ground:
    """A faded core; the truth are the stain labels of the same core freshly stained."""
    usual = tissue_image(TissueCore(seed, side))
    faded = tissue_image(TissueCore(seed, side, Staining.FADED))
    return Ground(faded, StainLabels(usual).read(usual.window))


def usual_land(crop_size: int) -> LabelledImage:
    """A landscape as the shipped model knows them, of a seed it does not know."""
    land = Landscape(BASE_LAND, (4096, 4096), LANDSCAPE_SCALE)
    whole = SpatialSplit(land.window, (land.window,), crop_size)
    return labelled_image(landscape_image(land), LandscapeLabels(land), whole)


def usual_slide(crop_size: int) -> LabelledImage:
    """The slide that the shipped tissue model was trained on, its held-out blocks alone."""
    data = image_data((sample_slide(),), "stain", (), crop_size, HELD_OUT, SPLIT_SEED)
    return data.images[0]


DOMAINS = {
    domain.name: domain
    for domain in (
        Domain("landscape", "landscape-vit-tiny", draw_landscape, usual_land),
        Domain("tissue", "tissue-vit-tiny", draw_tissue, usual_slide),
    )
}
"""What is corrected."""


def kept_ground(domain: Domain, seed: int, side: int, folder: Path) -> Ground:
    """The image of a seed, drawn once and kept in a file of a folder."""
    path = folder / f"{domain.name}-{seed}-{side}.npz"
    if not path.exists():
        ground = domain.draw(seed, side)
        pixels = ground.image.read(ground.image.window).pixels
        folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{seed}.part.npz")
        np.savez(scratch, pixels=pixels, truth=ground.truth)
        scratch.replace(path)
    with np.load(path) as kept:
        return Ground(_image(domain, path, kept["pixels"]), kept["truth"])


def _image(domain: Domain, path: Path, pixels: NDArray[np.generic]) -> PyramidImage:
    """An image in memory, of levels that halve."""
    factors = level_factors(pixels.shape[:2])
    levels = [pixels]
    for _ in factors[1:]:
        levels.append(halve(levels[-1]))
    land = domain.name == "landscape"
    return ImageSource(
        path=path,
        arrays=tuple(levels),
        chunks=((512, 512),) * len(factors),
        factors=tuple(map(float, factors)),
        bands=("red", "green", "blue", "elevation") if land else ("red", "green", "blue"),
        placement=Placement((0.5, 0.5), "m" if land else "um"),
        synthetic=f"benchmark, {path.stem}",
    ).image()


def spread_windows(windows: tuple[Window, ...], count: int) -> list[Window]:
    """At most ``count`` windows, evenly taken from all."""
    chosen = np.linspace(0, len(windows) - 1, min(count, len(windows))).round().astype(int)
    return [windows[k] for k in dict.fromkeys(chosen.tolist())]
