"""A local crop tells grade 3 from grade 4 badly; the wide view tells them well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.landscapes.landscape import TILE
from napari_relay.tissues.core import TissueCore
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.plan import CorePlan
from tests.landscapes.test_chance import held_out_hits

CONTEXT_FACTOR = 4
CROP = TILE // CONTEXT_FACTOR
"""The wide window is one tile, so that an example costs no more than that."""
EXAMPLES = 200
DIAMETER = 3072


class Examples(NamedTuple):
    """Places of grades 3 and 4 as a model would see them."""

    local: np.ndarray
    """``(example, statistic)`` of local crops."""
    wide: np.ndarray
    """The same statistics of the global crops."""
    is_grade_4: np.ndarray
    """``(example,)``."""


def statistics(pixels: np.ndarray) -> np.ndarray:
    """Histograms, moments, gradients, frequencies and pieces of what a crop shows."""
    found: list[float] = []
    for band in pixels.astype(np.float64).transpose(2, 0, 1):
        down, across = np.gradient(band)
        steepness, shade = np.hypot(down, across), band - band.mean()
        found += [band.mean(), shade.std(), np.cbrt((shade**3).mean())]
        found += [steepness.mean(), steepness.std()]
        found += np.quantile(band, (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)).tolist()
    for piece in (pixels[..., 0] < 140, pixels.min(axis=2) > 225):
        found += [piece.mean(), ndimage.label(piece)[1]]
    return np.array(found + _frequencies(pixels[..., 0]))


def _frequencies(band: np.ndarray) -> list[float]:
    """Power on rings of spatial frequency."""
    side = len(band)
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = np.abs(np.fft.fft2((band - band.mean()) * window)) ** 2
    places = np.fft.fftfreq(side) * side
    ring = np.hypot(places[:, None], places).astype(int)
    return list(np.log1p(np.bincount(ring.ravel(), power.ravel())[1:17]))


def places() -> list[tuple[int, tuple[int, int], bool]]:
    """Seed, tile and class of examples well inside a region, as many of either class."""
    found: dict[bool, list[tuple[int, tuple[int, int], bool]]] = {True: [], False: []}
    rng = np.random.default_rng(0)
    seed = 0
    while min(map(len, found.values())) < EXAMPLES // 2:
        plan, seed = CorePlan(seed, TissueCore(seed, DIAMETER).size[0], DIAMETER / 2), seed + 1
        for tile in rng.integers(3, 10, (6, 2)).tolist():
            middle = [np.array([(k + 0.5) * TILE]) for k in tile]
            for grade in (Grade.GRADE_3, Grade.GRADE_4):
                if plan.regions.margin(*middle, grade)[0] > 120:
                    is_4 = grade is Grade.GRADE_4
                    found[is_4].append((plan.seed, tuple(tile), is_4))
    pairs = zip(found[True], found[False], strict=False)
    return [place for pair in pairs for place in pair][:EXAMPLES]


@pytest.fixture(scope="module")
def examples() -> Examples:
    local, wide, is_grade_4 = [], [], []
    for seed, (row, col), is_4 in places():
        pixels = TissueCore(seed, DIAMETER).read_tile(row, col)
        first = (TILE - CROP) // 2
        local.append(statistics(pixels[Window(first, first, CROP, CROP).slices]))
        wide.append(statistics(halve(halve(pixels))))
        is_grade_4.append(is_4)
    return Examples(*map(np.array, (local, wide, is_grade_4)))


def test_a_local_crop_is_not_enough_and_the_wide_view_is(examples):
    local, wide = (
        held_out_hits(values, examples.is_grade_4).mean()
        for values in (examples.local, examples.wide)
    )
    assert len(examples.is_grade_4) == EXAMPLES
    assert examples.is_grade_4.mean() == 0.5
    assert local < 0.72
    assert wide > 0.75
    assert wide > local + 0.1
