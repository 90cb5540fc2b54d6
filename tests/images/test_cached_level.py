from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.cached_level import _rectangles, cached_chunk
from napari_relay.images.source import ImageSource
from relay_tokens import UserError


@dataclass(frozen=True, eq=False)
class Chunked:
    """An array whose chunks are noted when they are decoded, and some fail."""

    pixels: NDArray[np.generic]
    chunk: tuple[int, int]
    failing: dict[tuple[int, int], Exception] = field(default_factory=dict)
    decoded: list[tuple[int, int]] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.pixels.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.pixels.dtype

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        rows, cols = (range(*s.indices(n)) for s, n in zip(key[:2], self.shape[:2], strict=True))
        (h, w), asked = self.chunk, []
        for i in range(rows.start // h, (rows.stop - 1) // h + 1):
            for j in range(cols.start // w, (cols.stop - 1) // w + 1):
                asked.append((i, j))
        for place in asked:
            if place in self.failing:
                raise self.failing[place]
        self.decoded.extend(asked)
        return self.pixels[key].copy()


@pytest.fixture(autouse=True)
def _no_joining(monkeypatch):
    monkeypatch.setattr("napari_relay.images.cached_level.TINY_SIDE", 1)


def image_of(array: Chunked, path: Path, **facts) -> PyramidImage:
    bands = tuple("abcd"[: array.shape[2]])
    return ImageSource(path, (array,), (array.chunk,), (1.0,), bands, **facts).image()


BROKEN = UserError("a.tif is damaged; copy it again.")


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_window_has_the_pixels_of_the_file_but_for_damaged_chunks(data, tmp_path_factory):
    chunk = data.draw(st.tuples(st.integers(2, 7), st.integers(2, 7)))
    places = [(i, j) for i in range(-(-23 // chunk[0])) for j in range(-(-19 // chunk[1]))]
    failing = data.draw(st.sets(st.sampled_from(places), max_size=4))
    pixels = np.arange(1, 23 * 19 * 2 + 1).reshape(23, 19, 2)
    array = Chunked(pixels, chunk, dict.fromkeys(failing, BROKEN))
    whole, valid = pixels.copy(), np.ones((23, 19), bool)
    for i, j in failing:
        area = np.s_[i * chunk[0] : (i + 1) * chunk[0], j * chunk[1] : (j + 1) * chunk[1]]
        whole[area], valid[area] = 0, False
    image = image_of(array, tmp_path_factory.getbasetemp())
    for _ in range(3):
        y0, x0 = data.draw(st.integers(0, 22)), data.draw(st.integers(0, 18))
        window = Window(y0, x0, data.draw(st.integers(1, 23)), data.draw(st.integers(1, 19)))
        patch, inside = image.read(window), window.intersection(image.window)
        np.testing.assert_array_equal(
            patch.pixels[: inside.height, : inside.width], whole[inside.slices]
        )
        np.testing.assert_array_equal(
            patch.valid[: inside.height, : inside.width], valid[inside.slices]
        )
        assert not patch.valid[inside.height :].any()
        assert not patch.valid[:, inside.width :].any()
    image.read(image.window)
    assert image.damage.count == len({chunk.window for chunk in image.damage.chunks})
    assert image.damage.count == len(failing)
    assert sorted(array.decoded) == [place for place in places if place not in failing]


def test_overlapping_reads_and_the_viewer_decode_a_chunk_once(tmp_path):
    array = Chunked(np.arange(4096).reshape(64, 64, 1), (16, 16))
    image = image_of(array, tmp_path)
    for y in range(-8, 64, 5):
        for x in range(-8, 64, 7):
            image.read(Window(y, x, 20, 20))
    np.testing.assert_array_equal(image.levels[0].compute(), array.pixels)
    assert sorted(array.decoded) == [(i, j) for i in range(4) for j in range(4)]


def test_a_read_pixel_may_be_changed_without_changing_the_next_read(tmp_path):
    image = image_of(Chunked(np.ones((8, 8, 1)), (4, 4)), tmp_path)
    for window in (Window(0, 0, 4, 4), image.window):
        image.read(window).pixels[:] = 7
        assert (image.read(window).pixels == 1).all()


@pytest.mark.parametrize(
    ("dtype", "nodata", "shown"),
    [(np.uint8, None, 0), (np.int16, -5.0, -5), (np.float32, None, np.nan), (np.float32, 9.0, 9)],
)
def test_a_damaged_chunk_reads_as_nodata_in_the_viewer_too(tmp_path, dtype, nodata, shown):
    array = Chunked(np.ones((8, 8, 1), dtype), (4, 4), {(0, 1): BROKEN})
    image = image_of(array, tmp_path, nodata=nodata)
    expected = np.ones((8, 8, 1))
    expected[:4, 4:] = shown
    np.testing.assert_array_equal(image.levels[0].compute(), expected)
    np.testing.assert_array_equal(image.read(image.window).valid, expected[..., 0] == 1)


def test_damage_names_level_place_and_the_first_reason(tmp_path):
    fine = Chunked(np.ones((16, 16, 1)), (4, 4))
    coarse = Chunked(np.ones((8, 8, 1)), (4, 4), {(1, 0): BROKEN})
    source = ImageSource(tmp_path, (fine, coarse), ((4, 4), (4, 4)), (1.0, 2.0), ("a",))
    image = source.image()
    assert image.damage.sentence is None
    image.read(image.window, 1)
    image.read(image.window, 0)
    (chunk,) = image.damage.chunks
    assert (chunk.level, chunk.window) == (1, Window(8, 0, 8, 8))
    assert image.damage.sentence == str(BROKEN)


def test_a_file_of_nothing_but_damage_is_an_error(tmp_path):
    failing = {(i, j): BROKEN for i in range(8) for j in range(8)}
    image = image_of(Chunked(np.ones((32, 32, 1)), (4, 4), failing), tmp_path)
    with pytest.raises(UserError, match="damaged"):
        image.read(image.window)


def test_damage_at_the_start_of_a_file_is_not_the_end_of_it(tmp_path):
    failing = {(i, j): BROKEN for i in range(5) for j in range(8)}
    image = image_of(Chunked(np.ones((32, 32, 1)), (4, 4), failing), tmp_path)
    assert not image.read(Window(0, 0, 20, 32)).valid.any()
    assert image.read(Window(20, 0, 12, 32)).valid.all()
    assert image.damage.count == 40


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), "vanished.*put it back"),
        (OSError(errno.ESTALE, "stale"), "vanished.*put it back"),
        (PermissionError(errno.EACCES, "no"), "permissions"),
    ],
)
def test_a_file_that_is_away_is_an_error_and_read_again_when_back(tmp_path, reason, words):
    chained = UserError("a.tif is damaged.")
    chained.__cause__ = ValueError("codec")
    chained.__cause__.__cause__ = reason
    array = Chunked(np.ones((8, 8, 1)), (4, 4), {(0, 0): chained})
    image = image_of(array, tmp_path)
    assert image.read(Window(4, 4, 4, 4)).valid.all()
    for _ in range(2):
        with pytest.raises(UserError, match=words):
            image.read(image.window)
    array.failing.clear()
    assert image.read(image.window).valid.all()
    assert image.damage.count == 0


def test_a_lack_of_memory_is_no_damage(tmp_path):
    chained = UserError("a.tif is damaged.")
    chained.__cause__ = MemoryError()
    image = image_of(Chunked(np.ones((8, 8, 1)), (4, 4), {(0, 0): chained}), tmp_path)
    with pytest.raises(MemoryError):
        image.read(image.window)


def test_notes_of_the_reader_reach_the_image(tmp_path):
    array = Chunked(np.ones((8, 8, 1)), (4, 4))
    assert image_of(array, tmp_path, notes=("It is cut off.",)).notes == ("It is cut off.",)


@settings(max_examples=80, deadline=None)
@given(
    st.sets(st.tuples(st.just(0), st.integers(0, 6), st.integers(0, 6)), max_size=40),
    st.integers(1, 9),
)
def test_batches_are_rectangles_that_hold_every_chunk_once(keys, most):
    batches = list(_rectangles(list(keys), most))
    assert sorted(key for batch in batches for key in batch) == sorted(keys)
    for batch in batches:
        (_, top, left), (_, bottom, right) = batch[0], batch[-1]
        box = [(0, i, j) for i in range(top, bottom + 1) for j in range(left, right + 1)]
        assert batch == box
        assert len(batch) <= most


def test_a_full_rectangle_is_one_batch():
    keys = [(0, i, j) for i in range(3, 6) for j in range(2, 4)]
    assert list(_rectangles(keys, 6)) == [keys]


def test_tiny_chunks_are_joined_and_large_ones_are_not(monkeypatch):
    monkeypatch.undo()
    assert cached_chunk((9000, 9000, 3), (256, 256), 1) == (256, 256)
    assert cached_chunk((9000, 9000, 3), (64, 64), 1) == (256, 256)
    assert cached_chunk((9000, 8192, 3), (1, 8192), 1) == (42, 8192)
    assert cached_chunk((9000, 9000, 3), (2048, 2048), 1) == (2048, 2048)
    assert cached_chunk((30, 40, 1), (16, 16), 1) == (32, 48)
