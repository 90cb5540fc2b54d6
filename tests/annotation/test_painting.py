from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.history import Step
from napari_relay.annotation.outlines import PolygonPainting, StrokePainting
from napari_relay.annotation.painting import Painting, WindowPainting, paint
from napari_relay.annotation.predicted import (
    PredictionPainting,
    as_not_predicted,
    as_predicted,
    predicted_region,
)
from napari_relay.annotation.pyramid import pool
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from relay_tokens import UserError
from tests.inference.tiles import pattern_store, pattern_tile

STAR = np.array([[500, 500], [1500, 1900], [30, 1300], [1700, 900], [900, 1990], [1300, 200]])
L_SHAPE = np.array([[100, 100], [2900, 150], [2900, 900], [1500, 800], [1400, 1950], [100, 1900]])


def run(store: CorrectionStore, painting: Painting, over: int | None = None) -> Step:
    step = Step(tool="test")
    for _ in paint(store.pyramid, painting, step, over):
        pass
    return step


def pixels(store: CorrectionStore) -> NDArray[np.uint8]:
    return store.read(Window(0, 0, *store.shape))


def check_levels(store: CorrectionStore) -> None:
    for finer, coarser in zip(store.pyramid.levels, store.pyramid.levels[1:], strict=False):
        np.testing.assert_array_equal(pool(finer[:, :]), coarser[:, :])


@pytest.mark.parametrize("corners", [STAR, L_SHAPE])
def test_a_polygon_painted_in_parts_has_the_pixels_of_one_drawn_at_once(
    store: CorrectionStore, corners: NDArray[np.intp]
) -> None:
    step = run(store, PolygonPainting(corners, 1))
    picture = Image.new("L", store.shape[::-1], 255)
    ImageDraw.Draw(picture).polygon([(int(x), int(y)) for y, x in corners], 1, 1)
    np.testing.assert_array_equal(pixels(store), np.asarray(picture))
    assert step.counts == {1: int((np.asarray(picture) == 1).sum())}
    check_levels(store)


def test_a_stroke_painted_in_parts_covers_what_the_brush_passes_over(
    store: CorrectionStore,
) -> None:
    path = [(700, 300), (1800, 1200), (1805, 1205), (1100, 1700)]
    run(store, StrokePainting(path, 601, 2))
    rows, cols = np.mgrid[: store.shape[0], : store.shape[1]].astype(np.float32)
    distance = np.full(store.shape, np.inf, np.float32)
    for (y0, x0), (y1, x1) in pairwise(path):
        dy, dx = y1 - y0, x1 - x0
        along = ((rows - y0) * dy + (cols - x0) * dx) / (dy * dy + dx * dx)
        along = along.clip(0, 1)
        apart = np.hypot(rows - y0 - along * dy, cols - x0 - along * dx)
        distance = np.minimum(distance, apart)
    painted = pixels(store) == 2
    assert painted[distance < 299.5].all()
    assert not painted[distance > 301.5].any()
    assert painted.sum() == pytest.approx((distance <= 300.5).sum(), rel=0.002)


def test_a_dot_has_the_very_pixels_of_the_brush(store: CorrectionStore) -> None:
    run(store, StrokePainting([(1000.2, 1023.7)], 100, 0))
    rows, cols = np.mgrid[: store.shape[0], : store.shape[1]]
    np.testing.assert_array_equal(
        pixels(store) == 0, (rows - 1000) ** 2 + (cols - 1024) ** 2 <= 50.5**2
    )


def test_a_step_is_undone_and_redone_as_one(store: CorrectionStore) -> None:
    run(store, WindowPainting(Window(900, 900, 300, 300), 0))
    before = pixels(store)
    step = run(store, PolygonPainting(L_SHAPE, 1))
    after = pixels(store)
    for undoing, expected in ((True, before), (False, after), (True, before)):
        for _ in step.replay(store.pyramid, undoing=undoing):
            pass
        np.testing.assert_array_equal(pixels(store), expected)
    check_levels(store)


def test_painting_that_is_stopped_leaves_everything_as_it_was(store: CorrectionStore) -> None:
    run(store, WindowPainting(Window(900, 900, 300, 300), 0))
    before, step = pixels(store), Step()
    running = paint(store.pyramid, PolygonPainting(L_SHAPE, 1), step)
    for _ in range(3):
        next(running)
    assert (pixels(store) == 1).any()
    running.close()
    np.testing.assert_array_equal(pixels(store), before)
    assert step == []


def test_only_untouched_pixels_are_painted_over_if_that_is_asked(store: CorrectionStore) -> None:
    run(store, WindowPainting(Window(0, 0, 100, 100), 2))
    run(store, WindowPainting(Window(50, 50, 100, 100), 1), over=255)
    assert store.class_counts().tolist() == [0, 100 * 100 - 50 * 50, 100 * 100]


def test_a_full_area_takes_no_memory_to_undo(store: CorrectionStore) -> None:
    step = run(store, WindowPainting(Window(0, 0, *store.shape), 1))
    assert step.nbytes < 400 * len(step)


@pytest.fixture
def predicted(tmp_path: Path) -> PredictionStore:
    store = pattern_store(tmp_path / "prediction", 200, 260)
    rows, cols = store.grid.shape
    tiles = (pattern_tile(store, (i, j)) for i in range(rows) for j in range(cols))
    ring = np.zeros((200, 260), np.uint8)
    ring[20:120, 30:180] = 3
    ring[50:90, 60:140] = 1
    store.write(
        tile._replace(labels=ring[store.grid.tile(*tile.position).slices]) for tile in tiles
    )
    return store


def test_the_region_under_a_click_is_what_is_connected_at_full_resolution(
    predicted: PredictionStore,
) -> None:
    region = predicted_region(predicted, 25, 40)
    assert (region.label, region.window, region.is_cut) == (3, Window(20, 30, 100, 150), False)
    assert region.mask.sum() == 100 * 150 - 40 * 80
    hole = predicted_region(predicted, 60, 70)
    assert (hole.label, hole.window) == (1, Window(50, 60, 40, 80))
    assert hole.mask.all()


def test_a_region_larger_than_the_bound_is_cut_and_says_so(predicted: PredictionStore) -> None:
    region = predicted_region(predicted, 100, 100, max_side=40)
    assert region.is_cut
    assert region.window == Window(90, 80, 30, 41)
    whole = predicted_region(predicted, 199, 0)
    assert not whole.is_cut  # it ends at the image's border


def test_a_click_where_nothing_is_predicted_is_refused_in_a_sentence(tmp_path: Path) -> None:
    empty = pattern_store(tmp_path / "empty", 100, 100)
    with pytest.raises(UserError, match="predict the view first"):
        predicted_region(empty, 5, 5)
    with pytest.raises(UserError, match="outside the image"):
        predicted_region(empty, 5, 100)


def test_what_is_predicted_inside_an_outline_is_accepted_or_refused(
    predicted: PredictionStore, tmp_path: Path
) -> None:
    store = CorrectionStore.create(tmp_path / "c", predicted.shape, predicted.classes, "image")
    outline = WindowPainting(Window(10, 20, 60, 60), 0)
    run(store, PredictionPainting(predicted, outline, as_predicted()))
    inside = predicted.read_labels(Window(10, 20, 60, 60))
    np.testing.assert_array_equal(store.read(Window(10, 20, 60, 60)), inside)
    assert store.class_counts().sum() == 3600
    step = run(store, PredictionPainting(predicted, outline, as_not_predicted()))
    np.testing.assert_array_equal(store.read(Window(10, 20, 60, 60)), inside + 128)
    assert store.class_counts().sum() == 0
    assert sum(step.counts.values()) == 3600
