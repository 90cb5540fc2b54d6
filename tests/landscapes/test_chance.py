"""No local crop tells a mound from a hillock; the wide view does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage

from napari_relay.landscapes.features import FeatureKind
from napari_relay.landscapes.grid import Rectangle, SampleGrid
from napari_relay.landscapes.scene import Scene
from napari_relay.landscapes.site_plan import COMPOUND, LOCAL_REACH, SitePlan

SEED = 15
CROP = int(LOCAL_REACH)
CONTEXT_FACTOR = 4
COMPOUNDS = 600
"""One feature of each: far from the others, so that no two share a forest or a soil."""
KINDS = tuple(FeatureKind)


class Examples(NamedTuple):
    """Features of a landscape as a model would see them."""

    local: np.ndarray
    """``(example, statistic)`` of local crops."""
    wide: np.ndarray
    """The same statistics of the global crops of every second one."""
    is_site: np.ndarray
    """``(example,)``."""
    kinds: np.ndarray
    """``(example,)`` index into KINDS."""


def view(row: float, col: float, step: float) -> Scene:
    """A crop around a place, ``step`` plan units between its pixels."""
    offsets = (np.arange(CROP) - (CROP - 1) / 2) * step
    return Scene(SampleGrid(row + offsets, col + offsets, step), SEED)


def statistics(scene: Scene) -> np.ndarray:
    """Histograms, moments, gradients and density of everything a crop shows."""
    height = scene.elevation - scene.elevation.mean()
    bands = [*scene.photograph.transpose(2, 0, 1).astype(np.float64), height]
    found: list[float] = []
    for band, width in zip(bands, (12, 12, 12, 0.2), strict=True):
        down, across = np.gradient(band / width)
        steepness = np.hypot(down, across)
        shade = band - band.mean()
        found += [band.mean(), shade.std(), np.cbrt((shade * shade * shade).mean())]
        found += _quantiles(band, (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98))
        found += _quantiles(steepness, (0.5, 0.8, 0.9, 0.95, 0.99))
        found += [np.abs(down).mean(), np.abs(across).mean(), np.abs(down * across).mean()]
    looks_like_water = bands[2] > bands[0]
    found += [looks_like_water.mean(), ndimage.label(looks_like_water)[1]]
    # Density, whatever the class: better than any model could count it.
    found += [scene.built.mean(), len(scene.placed)]
    return np.array(found)


def _quantiles(values: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """Quantiles of a sixteenth of the values: enough, and fast."""
    ordered = np.sort(values[::4, ::4], axis=None)
    return [float(ordered[int(share * len(ordered))]) for share in shares]


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    local, wide, is_site, kinds = [], [], [], []
    side = int(np.ceil(np.sqrt(COMPOUNDS)))
    for number in range(COMPOUNDS):
        corner = COMPOUND * np.array(divmod(number, side))
        row, col = corner + rng.uniform(0, COMPOUND, 2)
        block = next(SitePlan(SEED).blocks(Rectangle(row, row + 1, col, col + 1)))
        features = block.features()
        wanted = KINDS[number % len(KINDS)]
        chosen = [f for f in features if f.kind is wanted] or list(features)
        feature = chosen[int(rng.integers(len(chosen)))]
        place = np.array([feature.row, feature.col]) + rng.uniform(-CROP / 4, CROP / 4, 2)
        local.append(statistics(view(*place, 1.0)))
        if number % 2 == 0:
            wide.append(statistics(view(*place, float(CONTEXT_FACTOR))))
        is_site.append(block.is_site)
        kinds.append(KINDS.index(feature.kind))
    return Examples(*map(np.array, (local, wide, is_site, kinds)))


def held_out_hits(values: np.ndarray, is_site: np.ndarray) -> np.ndarray:
    """Whether a regularised linear classifier is right, for each example it did not see."""
    count = len(values) // 2
    learnt = slice(0, count)
    spread = np.maximum(values[learnt].std(axis=0), 1e-9)
    scaled = np.clip((values - values[learnt].mean(axis=0)) / spread, -4, 4)
    target = np.where(is_site, 1.0, -1.0)
    centre = target[learnt].mean()
    square = scaled[learnt].T @ scaled[learnt] + 20 * np.eye(scaled.shape[1])
    weights = np.linalg.solve(square, scaled[learnt].T @ (target[learnt] - centre))
    guess = scaled[count:] @ weights + centre > 0
    return guess == is_site[count:]


def nearest_hits(values: np.ndarray, is_site: np.ndarray) -> np.ndarray:
    """The same of the majority of the 15 nearest examples."""
    count = len(values) // 2
    spread = np.maximum(values[:count].std(axis=0), 1e-9)
    scaled = (values - values[:count].mean(axis=0)) / spread
    far = np.square(scaled[count:, None] - scaled[None, :count]).sum(axis=2)
    votes = is_site[:count][np.argsort(far, axis=1)[:, :15]]
    return (votes.mean(axis=1) > 0.5) == is_site[count:]


@pytest.mark.parametrize("classifier", [held_out_hits, nearest_hits])
def test_a_classifier_of_local_crops_stays_at_chance(examples, classifier):
    hits = classifier(examples.local, examples.is_site)
    assert len(hits) == 300
    assert hits.mean() < 0.56


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_it_stays_at_chance_on_each_ambiguous_pair(examples, kind):
    hits = held_out_hits(examples.local, examples.is_site)
    hits = hits[examples.kinds[len(hits) :] == kind]
    # Within three standard deviations of a fair coin.
    assert hits.mean() < 0.5 + 3 * 0.5 / np.sqrt(len(hits))


def test_the_same_classifier_of_wide_crops_is_well_above_chance(examples):
    assert held_out_hits(examples.wide, examples.is_site[::2]).mean() > 0.7


def test_the_classes_of_the_examples_are_balanced(examples):
    assert 0.4 < examples.is_site.mean() < 0.6
