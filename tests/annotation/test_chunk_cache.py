from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_relay.annotation import ChunkCache
from napari_relay.geometry import Window
from relay_tokens import UserError

CHUNK_BYTES = 16 * 16


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """One array of 100 × 90 pixels in chunks of 16 × 16, empty."""
    folder = tmp_path / "group"
    zarr.create_group(folder).create_array(
        "0", shape=(100, 90), chunks=(16, 16), dtype="uint8", fill_value=255
    )
    return folder


def make_cache(folder: Path, max_bytes: int = 1 << 20) -> ChunkCache:
    array = zarr.open_array(folder / "0", mode="r+")
    return ChunkCache(folder, [array], max_bytes)


def on_disk(folder: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(folder / "0", mode="r")[:, :])


def test_what_was_written_is_read_back_before_it_is_on_disk(group: Path) -> None:
    cache = make_cache(group)
    cache.write(0, Window(10, 12, 30, 9), np.full((30, 9), 3, np.uint8))
    expected = np.full((100, 90), 255, np.uint8)
    expected[10:40, 12:21] = 3
    np.testing.assert_array_equal(cache.read(0, Window(0, 0, 100, 90)), expected)
    assert (on_disk(group) == 255).all()


def test_flush_writes_the_changed_chunks_once_and_counts_them(group: Path) -> None:
    cache = make_cache(group)
    cache.write(0, Window(15, 15, 2, 2), np.zeros((2, 2), np.uint8))
    assert cache.flush() == 4
    assert cache.flush() == 0
    assert not cache.dirty
    assert np.count_nonzero(on_disk(group) == 0) == 4


def test_memory_stays_bounded_while_more_than_that_is_written(group: Path) -> None:
    cache = make_cache(group, max_bytes=4 * CHUNK_BYTES)
    values = np.random.default_rng(0).integers(0, 5, (100, 90)).astype(np.uint8)
    for row in range(0, 100, 10):
        cache.write(0, Window(row, 0, 10, 90), values[row : row + 10])
        assert cache.cached_bytes <= 4 * CHUNK_BYTES
    np.testing.assert_array_equal(cache.read(0, Window(0, 0, 100, 90)), values)
    cache.flush()
    np.testing.assert_array_equal(on_disk(group), values)


def test_reading_where_nothing_was_written_takes_no_memory(group: Path) -> None:
    cache = make_cache(group)
    assert (cache.read(0, Window(0, 0, 100, 90)) == 255).all()
    assert cache.cached_bytes == 0


def test_a_write_that_meets_a_flush_stays_dirty(group: Path) -> None:
    cache = make_cache(group)
    pixel = Window(0, 0, 1, 1)
    cache.write(0, pixel, np.array([[1]], np.uint8))
    store = cache._store

    def interrupted(key, chunk):
        cache.write(0, pixel, np.array([[2]], np.uint8))
        store(key, chunk)

    cache._store = interrupted  # type: ignore[method-assign]
    cache.flush()
    assert cache.dirty
    cache._store = store  # type: ignore[method-assign]
    cache.flush()
    assert on_disk(group)[0, 0] == 2


def test_no_write_is_lost_between_writers_flushes_and_evictions(group: Path) -> None:
    cache = make_cache(group, max_bytes=3 * CHUNK_BYTES)
    finished = threading.Event()

    def flush_always() -> None:
        while not finished.is_set():
            cache.flush()

    def paint(col: int) -> None:
        # Each writer owns a column, all share the chunks.
        for value in (1, 2, 3):
            for row in range(100):
                cache.write(0, Window(row, col, 1, 1), np.array([[value]], np.uint8))

    flusher = threading.Thread(target=flush_always)
    painters = [threading.Thread(target=paint, args=(col,)) for col in (0, 7, 15, 40)]
    flusher.start()
    for thread in painters:
        thread.start()
    for thread in painters:
        thread.join()
    finished.set()
    flusher.join()
    cache.flush()
    assert (cache.read(0, Window(0, 0, 100, 90))[:, [0, 7, 15, 40]] == 3).all()
    assert (on_disk(group)[:, [0, 7, 15, 40]] == 3).all()


def test_a_disk_that_refuses_loses_nothing_and_is_named(group: Path) -> None:
    cache = make_cache(group, max_bytes=2 * CHUNK_BYTES)
    chunks = group / "0" / "c"
    chunks.write_text("a file where zarr needs a folder")
    values = np.random.default_rng(1).integers(0, 5, (64, 64)).astype(np.uint8)
    cache.write(0, Window(0, 0, 64, 64), values)
    with pytest.raises(UserError, match=str(group)):
        cache.flush()
    assert cache.dirty
    np.testing.assert_array_equal(cache.read(0, Window(0, 0, 64, 64)), values)
    chunks.unlink()
    assert cache.flush() == 16
    np.testing.assert_array_equal(on_disk(group)[:64, :64], values)


def test_the_marker_lies_there_from_the_first_write_to_disk_until_all_is_written(
    group: Path,
) -> None:
    cache = make_cache(group)
    cache.write(0, Window(0, 0, 1, 1), np.array([[1]], np.uint8))
    assert not cache.marker.exists()
    cache.flush()
    assert cache.marker.exists()
    cache.write(0, Window(0, 0, 1, 1), np.array([[2]], np.uint8))
    assert not cache.settle()
    assert cache.marker.exists()
    cache.flush()
    assert cache.settle()
    assert not cache.marker.exists()
