from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_relay.annotation import ChunkCache, EditablePyramid
from napari_relay.annotation.pyramid import level_shapes, pool
from napari_relay.geometry import Window

HEIGHT, WIDTH = 2100, 4097

windows = st.builds(
    Window,
    st.integers(-50, HEIGHT),
    st.integers(-50, WIDTH),
    st.integers(1, 700),
    st.integers(1, 90),
)
strokes = st.lists(st.tuples(windows, st.sampled_from([0, 1, 2, 255])), min_size=1, max_size=6)


def make_pyramid(folder: Path, height: int = HEIGHT, width: int = WIDTH) -> EditablePyramid:
    group = zarr.create_group(folder, overwrite=True)
    arrays = [
        group.create_array(str(k), shape=s, chunks=(128, 128), dtype="uint8", fill_value=255)
        for k, s in enumerate(level_shapes(height, width))
    ]
    return EditablePyramid(ChunkCache(folder, arrays), height, width)


def test_every_level_is_exactly_half_of_the_one_before() -> None:
    shapes = level_shapes(100_000, 31_234)
    assert all(a == (2 * b[0], 2 * b[1]) for a, b in pairwise(shapes))
    assert max(shapes[-1]) <= 1024 < max(shapes[-2])
    assert shapes[0][0] - 100_000 < 2 ** (len(shapes) - 1)


@pytest.mark.parametrize(("size", "expected"), [((1, 1), 1), ((1024, 5), 1), ((1025, 5), 2)])
def test_a_small_image_needs_few_levels(size: tuple[int, int], expected: int) -> None:
    assert len(level_shapes(*size)) == expected


def test_a_corrected_pixel_is_never_lost_by_pooling_and_the_highest_class_wins() -> None:
    labels = np.array([[255, 255, 0, 255], [255, 255, 2, 1]], np.uint8)
    np.testing.assert_array_equal(pool(labels), [[255, 2]])
    np.testing.assert_array_equal(pool(np.array([[255, 255], [255, 0]], np.uint8)), [[0]])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(strokes=strokes)
def test_after_any_strokes_each_level_is_the_pooled_finer_one(strokes, tmp_path: Path) -> None:
    pyramid = make_pyramid(tmp_path / "pyramid")
    expected = np.full(level_shapes(HEIGHT, WIDTH)[0], 255, np.uint8)
    for window, label in strokes:
        pyramid.write(window, np.full((window.height, window.width), label, np.uint8))
        inside = window.intersection(Window(0, 0, HEIGHT, WIDTH))
        expected[inside.slices] = label
    for level in pyramid.levels:
        np.testing.assert_array_equal(level[:, :], expected)
        expected = pool(expected) if level is not pyramid[-1] else expected


def test_outside_the_image_nothing_is_written_and_255_is_read(tmp_path: Path) -> None:
    pyramid = make_pyramid(tmp_path / "pyramid")
    edge = Window(HEIGHT - 2, WIDTH - 2, 10, 10)
    pyramid.write(edge, np.ones((10, 10), np.uint8))
    read = pyramid.read(edge)
    assert (read[:2, :2] == 1).all()
    assert np.count_nonzero(read != 255) == 4
    assert np.count_nonzero(pyramid[0][HEIGHT - 2 :, WIDTH - 2 :] != 255) == 4


def test_whoever_listens_is_told_the_window_of_each_write(tmp_path: Path) -> None:
    pyramid = make_pyramid(tmp_path / "pyramid")
    told: list[Window] = []
    pyramid.changed.connect(told.append)
    pyramid.write(Window(-5, 3, 10, 10), np.zeros((10, 10), np.uint8))
    pyramid.write(Window(-5, 3, 2, 2), np.zeros((2, 2), np.uint8))
    assert told == [Window(0, 3, 5, 10)]


def test_a_level_is_indexed_like_numpy(tmp_path: Path) -> None:
    pyramid = make_pyramid(tmp_path / "pyramid", 300, 200)
    values = np.random.default_rng(0).integers(0, 3, (300, 200)).astype(np.uint8)
    pyramid.write(Window(0, 0, 300, 200), values)
    level = pyramid[0]
    np.testing.assert_array_equal(level[5:9, ::3], values[5:9, ::3])
    np.testing.assert_array_equal(level[-1], values[-1])
    np.testing.assert_array_equal(level[7:3, :], values[7:3, :])
    np.testing.assert_array_equal(np.asarray(level), values)
    assert level[4, -2] == values[4, -2]
    with pytest.raises(IndexError):
        level[300]
    with pytest.raises(IndexError):
        level[np.array([1, 2])]
