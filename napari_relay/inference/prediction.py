"""Tiled prediction of an image into a store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.blending import blend_tile, classify
from napari_relay.inference.crops import CropPair, check_fit, read_crop_pair
from napari_relay.inference.forward import CropResult, Forwarder
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.plan import Index, TilePlan
from napari_relay.inference.store import PredictedTile, PredictionStore
from relay_tokens import IGNORE_INDEX, Checkpoint

_BATCHES_AHEAD = 2
_TILES_A_WRITE = 16


@dataclass(frozen=True)
class TileResult:
    """A tile that is now on disk."""

    tile: Window
    """The tile's own area, level-0 pixels."""
    done: int
    """Tiles finished so far among those asked for, earlier runs' included."""
    total: int
    """Tiles asked for."""


def predict(
    checkpoint: Checkpoint,
    image: PyramidImage,
    store: PredictionStore,
    windows: Sequence[Window] | None = None,
    options: PredictOptions | None = None,
    priority: Callable[[], Window | None] | None = None,
) -> Iterator[TileResult]:
    """Predict tile by tile, with what is missing in the store.

    Every tile is the weighted mean of the softmax of all crops over it, summed
    in a fixed order: the result does not depend on the order of the tiles, the
    batch size or restarts (up to the rounding of the forward pass). The
    generator may be closed between any two tiles; what was finished stays.

    Parameters
    ----------
    checkpoint
        The model; it is put on the device and into eval mode, else unchanged.
    image
        What the store was made for.
    store
        Tiles that it has already are skipped.
    windows
        Level-0 pixels; all tiles that meet one are predicted. None: the image.
    options
        The options the store was made with; batch size, device, precision and
        memory may differ.
    priority
        Asked between batches which window should come first, e.g. what a
        person looks at.

    Yields
    ------
    TileResult
        For each tile, after all of it is on disk.

    Raises
    ------
    UserError
        When image, model, store and options do not fit each other, there is
        no such device, the disk is full or memory too small.
    """
    options = options or PredictOptions()
    check_fit(image, checkpoint.metadata)
    store.check(image, checkpoint, options)
    run = _Run(checkpoint, image, store, windows, options)
    try:
        yield from run.results(priority or _no_priority)
    finally:
        run.close()


def _no_priority() -> Window | None:
    return None


class _Run:
    """One run of :func:`predict`: read ahead, forward, blend, write behind.

    Both threads have one worker and a bounded number of jobs.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        image: PyramidImage,
        store: PredictionStore,
        windows: Sequence[Window] | None,
        options: PredictOptions,
    ) -> None:
        self._checkpoint, self._image, self._store = checkpoint, image, store
        wanted = {t for w in windows or [image.window] for t in store.grid.tiles_in(w)}
        finished = store.finished
        missing = {tile for tile in wanted if not finished[tile]}
        self._total, self._done = len(wanted), len(wanted) - len(missing)
        self._forward = Forwarder(checkpoint.model, store.header, options)
        self._plan = TilePlan(store.grid, missing, _capacity(checkpoint, options))
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="relay-reader")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="relay-writer")
        self._underway: dict[Index, Future[CropPair]] = {}
        self._written: deque[tuple[Future[None], list[PredictedTile]]] = deque()

    def results(self, priority: Callable[[], Window | None]) -> Iterator[TileResult]:
        """Finish tile after tile."""
        while self._plan.front is not None:
            self._plan.prioritise(priority())
            tiles = self._ready_tiles()
            if tiles:
                self._written.append((self._writer.submit(self._store.write, tiles), tiles))
            else:
                self._compute()
            yield from self._on_disk(waiting=1)
        yield from self._on_disk(waiting=0)

    def close(self) -> None:
        """Let the running read and write end, drop the rest."""
        self._reader.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
        self._store.flush_coarse()

    def _compute(self) -> None:
        size = self._forward.batch_size
        room = (_BATCHES_AHEAD + 1) * size - len(self._underway)
        for crop in self._plan.wanted(room, self._underway):
            self._underway[crop] = self._reader.submit(self._read, crop)
        batch = list(self._underway)[:size]
        results = self._forward.run([self._underway.pop(crop).result() for crop in batch])
        for crop, result in zip(batch, results, strict=True):
            self._plan.add(crop, result)

    def _read(self, crop: Index) -> CropPair:
        window = self._store.grid.crop(*crop)
        config = self._checkpoint.model.config
        return read_crop_pair(self._image, window, config, self._checkpoint.metadata)

    def _ready_tiles(self) -> list[PredictedTile]:
        tiles: list[PredictedTile] = []
        while len(tiles) < _TILES_A_WRITE and self._plan.is_ready:
            position = self._plan.front
            assert position is not None
            tiles.append(self._finish(position))
            self._plan.finish(position)
        return tiles

    def _finish(self, position: Index) -> PredictedTile:
        grid, crops = self._store.grid, self._plan.crops_over(position)
        weighted = {crop: result.weighted for crop, result in crops.items()}
        label, sure = classify(blend_tile(grid, position, weighted, self._forward.weight))
        labels, confidence = label.cpu().numpy(), sure.cpu().numpy()
        no_data = ~_own_area(crops[position], grid.halo, labels.shape)
        labels[no_data], confidence[no_data] = IGNORE_INDEX, 0
        return PredictedTile(position, labels, confidence, crops[position].attention)

    def _on_disk(self, waiting: int) -> Iterator[TileResult]:
        """Tiles of the writes that ended; waits until at most ``waiting`` are left."""
        while self._written and (len(self._written) > waiting or self._written[0][0].done()):
            future, tiles = self._written.popleft()
            future.result()
            for tile in tiles:
                self._done += 1
                yield TileResult(self._store.grid.tile(*tile.position), self._done, self._total)


def _own_area(result: CropResult, halo: int, shape: tuple[int, ...]) -> np.ndarray:
    return result.valid[halo : halo + shape[0], halo : halo + shape[1]]


def _capacity(checkpoint: Checkpoint, options: PredictOptions) -> int:
    """Crops to keep: what fits into memory, and never fewer than a tile needs."""
    config = checkpoint.model.config
    size = config.num_classes * config.crop_size**2 * np.dtype(np.float32).itemsize
    return max(options.memory // size, 16 + (_BATCHES_AHEAD + 2) * options.batch_size)
