from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.inference.chunks import ChunkWriter, StoredArray
from napari_relay.inference.levels import Channels, create_array
from napari_relay.inference.sharding import (
    Sharding,
    cell_sharding,
    pixel_sharding,
    tiles_a_shard,
)
from napari_relay.inference.shards import open_shard, write_shard
from relay_tokens import UserError


def make_array(
    folder: Path, sides: tuple[int, int], channels: Channels | None = None, dtype: str = "uint8"
) -> StoredArray:
    create_array(zarr.create_group(folder), "a", sides, Sharding(8, 24), 7, dtype, channels)
    return StoredArray(zarr.open_group(folder)["a"])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), height=st.integers(1, 70), width=st.integers(1, 70))
def test_what_is_written_is_read_by_zarr_and_by_windows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, height: int, width: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    array = make_array(folder, (height, width))
    truth = np.full((height, width), 7, np.uint8)
    writer = ChunkWriter(array)
    for value in range(data.draw(st.integers(1, 4))):
        y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        rows, cols = data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x))
        part = np.arange(rows * cols, dtype=np.uint8).reshape(rows, cols) + np.uint8(value)
        truth[y : y + rows, x : x + cols] = part
        writer.write(y, x, part)
        writer.flush()
    np.testing.assert_array_equal(zarr.open_group(folder)["a"][:], truth)
    rows, cols = (
        slice(*sorted(data.draw(st.tuples(st.integers(0, side), st.integers(0, side)))))
        for side in truth.shape
    )
    np.testing.assert_array_equal(array[rows, cols], truth[rows, cols])
    np.testing.assert_array_equal(array[::3, -1], truth[::3, -1])


def test_what_zarr_writes_is_read_by_windows(tmp_path: Path) -> None:
    array = make_array(tmp_path / "z", (50, 41), Channels(6, 2), "float16")
    values = np.random.default_rng(0).random((6, 50, 41)).astype(np.float16)
    zarr.open_group(tmp_path / "z")["a"][:] = values
    np.testing.assert_array_equal(array[2:5, 7:, :30], values[2:5, 7:, :30])
    np.testing.assert_array_equal(np.asarray(array), values)


def test_channels_are_chunks_of_their_own(tmp_path: Path) -> None:
    array = make_array(tmp_path / "z", (30, 30), Channels(6, 2), "float16")
    values = np.random.default_rng(0).random((6, 11, 13)).astype(np.float16)
    writer = ChunkWriter(array)
    writer.write(9, 15, values)
    writer.flush()
    found = zarr.open_group(tmp_path / "z")["a"]
    assert found.chunks == (2, 8, 8)
    np.testing.assert_array_equal(found[:, 9:20, 15:28], values)
    assert (found[:, :9] == 7).all()


def test_a_file_is_read_as_it_was_when_it_is_replaced_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    write_shard(path, (1, 2), {(0, 0): b"old", (0, 1): b"older"})
    with open_shard(path, (1, 2)) as shard:
        write_shard(path, (1, 2), {(0, 1): b"new and longer"})
        assert shard is not None
        assert shard.chunks() == {(0, 0): b"old", (0, 1): b"older"}
    with open_shard(path, (1, 2)) as shard:
        assert shard is not None
        assert shard.chunk((0, 0)) is None


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"x" * 5000])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    array = make_array(tmp_path / "z", (20, 20))
    writer = ChunkWriter(array)
    writer.write(0, 0, np.zeros((20, 20), np.uint8))
    writer.flush()
    (tmp_path / "z" / "a" / "c" / "0" / "0").write_bytes(content)
    with pytest.raises(UserError, match=r"a/c/0/0 is damaged"):
        array[0:5, 0:5]


@given(stride=st.integers(1, 3000), cells=st.integers(1, 64))
def test_chunks_and_shards_hold_whole_tiles(stride: int, cells: int) -> None:
    pixels, attention = pixel_sharding(stride), cell_sharding(stride, cells)
    for sharding, tile in ((pixels, stride), (attention, cells)):
        assert sharding.chunk % tile == 0
        assert sharding.shard % sharding.chunk == 0
        assert sharding.shard == tiles_a_shard(stride) * tile
    assert pixels.chunk >= 256
    assert pixels.chunk <= max(stride, 768)
