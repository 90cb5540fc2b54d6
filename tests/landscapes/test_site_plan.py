"""What decides a class lies beyond local crops and within global windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_relay.landscapes.grid import Rectangle, SampleGrid
from napari_relay.landscapes.labels import LandscapeClass
from napari_relay.landscapes.moats import Moats
from napari_relay.landscapes.scene import Scene
from napari_relay.landscapes.site_plan import COMPOUND, LOCAL_REACH, WIDE_REACH, SitePlan

STEP = 3.0
"""Plan units between the points that distances are measured on."""
COUNTRY = Rectangle(0, 4 * COMPOUND, 0, 6 * COMPOUND)


def scene(seed: int, area: Rectangle) -> Scene:
    rows, cols = np.arange(area.row0, area.row1, STEP), np.arange(area.col0, area.col1, STEP)
    return Scene(SampleGrid(rows, cols, STEP), seed)


def distances_to(evidence: np.ndarray) -> np.ndarray:
    """Plan units, along the longer axis, to the nearest point of what decides."""
    return STEP * ndimage.distance_transform_cdt(~evidence, metric="chessboard")


@pytest.fixture(scope="module", params=[0, 5])
def country(request) -> tuple[Scene, Moats]:
    """A pair of compounds with some land around it."""
    made = scene(request.param, Rectangle(0, COMPOUND, 0, 2 * COMPOUND).grown(300))
    return made, made.moats


def nearest(distance: np.ndarray, made: Scene, of_site: bool) -> list[float]:
    """Smallest distance of each feature that lies in the middle of the country."""
    middle = Rectangle(0, COMPOUND, 0, 2 * COMPOUND)
    return [
        float(distance[placed.part][placed.radius < 1].min())
        for placed in made.placed
        if placed.is_site is of_site and placed.feature.area.meets(middle)
    ]


def test_each_feature_of_a_site_is_decided_between_the_two_reaches(country):
    made, moats = country
    found = nearest(distances_to(moats.bank > 0.5), made, of_site=True)
    assert len(found) > 100
    assert min(found) >= LOCAL_REACH
    assert max(found) <= WIDE_REACH


def test_nothing_of_moats_or_canals_is_within_local_reach_of_any_feature(country):
    made, moats = country
    distance = distances_to((moats.water > 0.02) | (moats.bank > 0.02))
    found = nearest(distance, made, True) + nearest(distance, made, False)
    assert len(found) > 250
    assert min(found) >= LOCAL_REACH


def test_the_bank_of_the_nearest_moat_is_on_the_side_of_sites_alone(country):
    made, moats = country
    water, bank = distances_to(moats.water > 0.5), distances_to(moats.bank > 0.5)
    for placed in made.placed:
        row, col = (
            round((at - axis[0]) / STEP)
            for at, axis in (
                (placed.feature.row, made.grid.rows),
                (placed.feature.col, made.grid.cols),
            )
        )
        inside = 0 <= row < water.shape[0] and 0 <= col < water.shape[1]
        if inside and water[row, col] <= WIDE_REACH:
            assert (bank[row, col] < water[row, col]) == placed.is_site


def test_labels_are_features_of_sites_and_the_water_of_moats(country):
    made, moats = country
    own = np.zeros(made.grid.shape, bool)
    for placed in made.placed:
        if placed.is_site:
            own[placed.part] |= placed.radius < 1
    covered = (made.roads.cover > 0.5) | (made.waterways.river > 0.5)
    expected = (own | (moats.water > 0.5)) & ~covered
    np.testing.assert_array_equal(made.labels != LandscapeClass.BACKGROUND, expected)


def test_features_are_drawn_without_knowing_whether_they_are_of_a_site():
    for block in SitePlan(2).blocks(Rectangle(0, 900, 0, 3000)):
        other = replace(block, is_site=not block.is_site)
        down, across = other.core.row0 - block.core.row0, other.core.col0 - block.core.col0
        for one, two in zip(block.features(), other.features(), strict=True):
            assert (one.kind, one.tone, one.relief) == (two.kind, two.tone, two.relief)
            assert (two.row - one.row, two.col - one.col) == pytest.approx((down, across))
            assert one.half_axes == pytest.approx(two.half_axes)


def test_outlines_stay_in_their_core():
    for block in SitePlan(1).blocks(Rectangle(0, 4000, 0, 4000)):
        for feature in block.features():
            (down, across), core = feature.extent, block.core
            assert core.row0 <= feature.row - down < feature.row + down <= core.row1
            assert core.col0 <= feature.col - across < feature.col + across <= core.col1


def test_no_local_crop_shows_features_of_two_cores():
    blocks = list(SitePlan(3).blocks(COUNTRY))
    for k, block in enumerate(blocks):
        assert not any(block.core.grown(LOCAL_REACH).meets(other.core) for other in blocks[:k])


def test_one_of_two_neighbouring_compounds_is_a_site():
    for i in range(4):
        for j in range(0, 6, 2):
            area = Rectangle(i, i + 1, j, j + 2)
            blocks = list(SitePlan(9).blocks(Rectangle(*(COMPOUND * edge for edge in area))))
            assert [len(blocks), sum(block.is_site for block in blocks)] == [8, 4]


def test_blocks_tile_the_land():
    blocks = list(SitePlan(4).blocks(COUNTRY))
    covered = sum((b.area.row1 - b.area.row0) * (b.area.col1 - b.area.col0) for b in blocks)
    assert covered == (4 * COMPOUND) * (6 * COMPOUND)
    assert not any(a.area.meets(b.area) for k, a in enumerate(blocks) for b in blocks[:k])


def test_part_of_a_block_has_the_features_that_the_whole_has_there():
    for block in SitePlan(6).blocks(Rectangle(0, 900, 0, 900)):
        area = Rectangle(200, 700, 300, 900)
        some, every = block.features(area), block.features()
        assert set(some) <= set(every)
        assert {f for f in every if f.area.meets(area.grown(-40))} <= set(some)
