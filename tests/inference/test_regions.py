from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.geometry import TileGrid
from napari_relay.inference import PredictionStore
from napari_relay.inference.regions import split_grid
from napari_relay.inference.sharding import pixel_sharding

from .tiles import (
    assert_pattern_where_finished,
    attention_pattern,
    pattern_store,
    pattern_tile,
    write_region,
)


@given(height=st.integers(1, 9000), width=st.integers(1, 9000), stride=st.integers(32, 700))
def test_regions_are_all_tiles_once_and_share_no_shard(
    height: int, width: int, stride: int
) -> None:
    grid = TileGrid(height, width, stride, 0)
    regions = split_grid(grid)
    tiles = [tile for region in regions for tile in region.tiles]
    assert len(tiles) == len(set(tiles)) == grid.shape[0] * grid.shape[1]
    shard = pixel_sharding(stride).shard
    for region in regions:
        window = region.window(grid)
        assert window.y0 % shard == window.x0 % shard == 0
        assert window.height <= shard
        assert window.width <= shard
    assert sum(region.window(grid).area for region in regions) == height * width


def test_two_processes_write_regions_that_one_absorbs(
    tmp_path: Path, processes: BaseContext
) -> None:
    store = pattern_store(tmp_path / "s", 2100, 2300)
    store.write([pattern_tile(store, (0, 0)), pattern_tile(store, (32, 35))])
    numbers = range(len(store.regions()))
    assert len(numbers) == 4
    with store.writing(), ProcessPoolExecutor(2, mp_context=processes) as pool:
        written = pool.map(write_region, [store.folder] * len(numbers), numbers)
        for region, tiles in zip(store.regions(), written, strict=True):
            store.absorb(region, tiles)
    assert store.finished.all()
    for opened in (store, PredictionStore.open(store.folder)):
        assert_pattern_where_finished(opened)
        values = opened.attention_map("local", "patch_to_relay", 2, 1).values
        layout = opened.header.attention
        assert layout is not None
        channel = layout.channels(32, "patch_to_relay", 2).start + 1
        truth = attention_pattern(channel + 1, (0, 0), 2, *opened.grid.shape)[channel]
        np.testing.assert_array_equal(values, truth[: len(values), : values.shape[1]])


def test_a_tile_written_after_a_worker_does_not_undo_what_the_worker_wrote(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 600, 700)
    store.write([pattern_tile(store, (0, 0))])
    (region,) = store.regions()
    tiles = [tile for tile in region.tiles if tile not in ((0, 0), (0, 1))]
    worker = PredictionStore.open(store.folder)
    with store.writing():
        worker.write_level0(pattern_tile(worker, tile) for tile in tiles)
        store.absorb(region, tiles)
        assert_pattern_where_finished(store)
        store.write([pattern_tile(store, (0, 1))])
    assert store.finished.all()
    assert_pattern_where_finished(PredictionStore.open(store.folder))
