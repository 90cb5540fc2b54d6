"""Tiles with known content, without a model, and processes that write them."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, PredictOptions
from napari_relay.inference.attention import BRANCHES
from napari_relay.inference.tile import PredictedTile

from .samples import make_image, value_checkpoint

CLASSES = 5
OPTIONS = PredictOptions(device="cpu", halo=32, probabilities=True)


def pattern_store(folder: Path, height: int, width: int, **fields: object) -> PredictionStore:
    """An empty store with all that can be kept; tiles of 64 px."""
    image = make_image(np.zeros((height, width, 1), np.uint8), **fields)
    return PredictionStore.create(folder, image, value_checkpoint(CLASSES, crop_size=128), OPTIONS)


def pattern(window: Window, step: int, count: int) -> NDArray[np.uint8]:
    """``(rows, cols)`` of values below ``count`` that tell each pixel from its neighbours."""
    rows, cols = (np.arange(s.start, s.stop) for s in window.slices)
    return ((rows[:, None] // 3 * step + cols // 2 + rows[:, None] * cols) % count).astype(np.uint8)


def pattern_tile(store: PredictionStore, position: tuple[int, int]) -> PredictedTile:
    area = store.grid.tile(*position)
    scores = [pattern(area, step, 255) + np.uint8(1) for step in (1, 2, 3)]
    probabilities = np.stack([pattern(area, step, 256) for step in range(CLASSES)])
    labels = pattern(area, 1, CLASSES)
    layout = store.header.attention
    attention = None
    if layout is not None:
        attention = {
            (branch, stride): attention_pattern(
                layout.channel_count(stride), position, layout.cells(branch, stride, store.grid)
            )
            for branch in BRANCHES
            for stride in layout.groups
        }
    return PredictedTile(position, labels, *scores, probabilities, attention)


def attention_pattern(
    channels: int, position: tuple[int, int], cells: int, rows: int = 1, cols: int = 1
) -> NDArray[np.float16]:
    """``(channel, y, x)`` of ``rows`` by ``cols`` tiles, exact in half precision."""
    y = position[0] * cells + np.arange(rows * cells)
    x = position[1] * cells + np.arange(cols * cells)
    values = (np.arange(channels)[:, None, None] * 7 + y[:, None] * 3 + x) % 512
    return (values / 512).astype(np.float16)


def write_until_killed(folder: Path, seed: int, has_begun: Event) -> None:
    """Write missing tiles, a few at a time, in an order of ``seed``."""
    store = PredictionStore.open(folder)
    with store.writing():
        missing = np.argwhere(~store.finished)
        np.random.default_rng(seed).shuffle(missing)
        for part in np.array_split(missing, max(len(missing) // 4, 1)):
            store.write([pattern_tile(store, (int(i), int(j))) for i, j in part])
            has_begun.set()


def write_region(folder: Path, number: int) -> Sequence[tuple[int, int]]:
    """Write one region's tiles, as a worker does; return their positions."""
    store = PredictionStore.open(folder)
    tiles = store.regions()[number].tiles
    for first in range(0, len(tiles), 50):
        store.write_level0(pattern_tile(store, tile) for tile in tiles[first : first + 50])
    return tiles


def hold(folder: Path, has_begun: Event, may_end: Event) -> None:
    """Hold the right to write."""
    with PredictionStore.open(folder).writing():
        has_begun.set()
        may_end.wait(60)


def assert_pattern_where_finished(store: PredictionStore, untouched: bool = True) -> None:
    """Every level of every array holds the pattern on finished tiles.

    Elsewhere it is empty; or, not ``untouched``, it may have been written too.
    """
    height, width = store.shape
    image = Window(0, 0, height, width)
    stride = store.grid.stride
    done = store.finished.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]
    assert store.disagreement is not None
    kept = (store.confidence, store.entropy, store.disagreement)
    pyramids = [(levels, pattern(image, k, 255) + 1, 0) for k, levels in enumerate(kept, 1)]
    pyramids.append((store.labels, pattern(image, 1, CLASSES), 255))
    for levels, truth, fill in pyramids:
        expected = np.where(done, truth, fill)
        for k, level in enumerate(levels):
            rows, cols = (-(-side >> k) for side in store.shape)
            _assert_equal(level[:rows, :cols], expected[:: 2**k, :: 2**k], fill, untouched)
    probabilities = np.stack([pattern(image, k, 256) for k in range(CLASSES)])
    found = store.read_probabilities(image)
    _assert_equal(found, np.where(done, probabilities, 0), 0, untouched)


def _assert_equal(
    found: NDArray[np.uint8], expected: NDArray[np.uint8], fill: int, untouched: bool
) -> None:
    wrong = found != expected
    assert not (wrong if untouched else wrong & (expected != fill)).any()
