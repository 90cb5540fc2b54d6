"""One run of a tiled prediction: what is predicted, skipped, written and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.pipeline import ReadyTile, TilePipeline
from napari_relay.inference.plan import TilePlan
from napari_relay.inference.reading import ReadAhead
from napari_relay.inference.report import PredictionReport
from napari_relay.inference.seams import SeamMeter
from napari_relay.inference.selection import Block, TileMap, area_of, blocks_of
from napari_relay.inference.skipping import find_data, likely_blank
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.tile_sink import TileSink
from napari_relay.inference.todo import Todo
from napari_relay.inference.writing import WriteBehind, Written
from relay_tokens import Checkpoint

Priority = Callable[[], Window | None]


class PredictionRun:
    """One run of :func:`~napari_relay.inference.prediction.predict`.

    Reader threads read the next crops and a writer thread blends tiles and
    writes them while the caller's thread runs the model; what waits between
    them is bounded.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        image: PyramidImage,
        store: TileSink,
        todo: Todo,
        options: PredictOptions,
    ) -> None:
        self._started = perf_counter()
        self._image, self._store, self._todo = image, store, todo
        self._blank_crops = np.zeros(store.grid.shape, dtype=bool)
        self.total = int(todo.wanted.sum())
        """Tiles asked for."""
        self.done = self.total - int(todo.missing.sum())
        """Tiles finished or skipped among those, earlier runs' included."""
        self._predicted, self._reader_threads = 0, options.reader_threads
        self._notices: list[str] = []
        self._seams = SeamMeter(store.grid)
        self._pipeline = TilePipeline(checkpoint, image, store, options)
        self._writer = WriteBehind(store, self._finish)

    def parts(self, priority: Priority) -> Iterator[Written]:
        """Predict or skip every missing tile; tiles that seem to have no data come last."""
        yield from self._skip_all(self._todo.glass)
        missing = self._todo.missing & ~self._todo.glass
        unsure = likely_blank(self._image, self._store.grid, missing)
        yield from self._predict(missing & ~unsure, priority)
        with_data = np.zeros_like(unsure)
        yield from self._search(unsure, with_data)
        yield from self._predict(with_data, priority)

    def _predict(self, tiles: TileMap, priority: Priority) -> Iterator[Written]:
        """Predict those of ``tiles`` that have data, skip the others."""
        pipeline = self._pipeline
        plan = TilePlan(self._store.grid, tiles, pipeline.capacity, self._blank_crops)
        while plan.front is not None:
            plan.prioritise(priority())
            ready = pipeline.take_ready(plan)
            if ready:
                is_first = not self._predicted
                self._predicted += len(ready)
                self._writer.put(ready)
                if is_first:  # somebody may be waiting for something to look at
                    yield from self._all_on_disk()
            else:
                pipeline.forward_batch(plan)
            for row, col in pipeline.take_without_data():
                self._skip(Block(row, col, 1, 1), np.ones((1, 1), dtype=bool))
            yield from self._on_disk()
        yield from self._all_on_disk()

    def _search(self, unsure: TileMap, with_data: TileMap) -> Iterator[Written]:
        """Look at every pixel of the tiles that seem to have no data; note those that have."""
        threads = self._reader_threads
        reader = ReadAhead(self._find_data, threads)
        try:
            for block, found in reader.each(blocks_of(unsure), 2 * threads):
                here = unsure[block.slices]
                with_data[block.slices] = here & found
                self._skip(block, here & ~found)
                yield from self._on_disk()
        finally:
            reader.close()
        yield from self._all_on_disk()

    def _find_data(self, block: Block) -> TileMap:
        return find_data(self._image, self._store.grid, block)

    def _skip_all(self, tiles: TileMap) -> Iterator[Written]:
        for block in blocks_of(tiles):
            self._skip(block, tiles[block.slices])
            yield from self._on_disk()
        yield from self._all_on_disk()

    def _skip(self, block: Block, tiles: TileMap) -> None:
        """Skip those of a block that are set in ``tiles``, a map of the block."""
        positions = block.positions(tiles)
        if positions:
            self._writer.skip(positions, block.window(self._store.grid))

    def _finish(self, ready: ReadyTile) -> PredictedTile:
        """Blend a tile and look at its borders; in the writer's thread."""
        tile = self._pipeline.finish(ready)
        self._seams.add(tile.position, tile.labels)
        return tile

    def _on_disk(self) -> Iterator[Written]:
        return self._counted(self._writer.on_disk())

    def _all_on_disk(self) -> Iterator[Written]:
        return self._counted(self._writer.on_disk(at_most_waiting=0))

    def _counted(self, parts: Iterator[Written]) -> Iterator[Written]:
        for part in parts:
            self.done += part.tiles
            yield part

    def take_notices(self) -> tuple[str, ...]:
        """What a person should be told since the last call."""
        notices = self._pipeline.take_notices()
        self._notices += notices
        return notices

    def report(self) -> PredictionReport:
        """What the run did, after its end."""
        grid, skipped = self._store.grid, self._store.skipped & self._todo.wanted
        return PredictionReport(
            source=self._image.source,
            predicted=self._predicted,
            total=self.total,
            skipped=int(skipped.sum()),
            skipped_share=area_of(grid, skipped) / max(area_of(grid, self._todo.wanted), 1),
            damaged_chunks=self._image.damage.count,
            seam_score=self._seams.score,
            notices=(*self._notices, *self.take_notices()),
            seconds=perf_counter() - self._started,
        )

    def close(self) -> None:
        """Let the running read and write end, drop the rest."""
        self._pipeline.close()
        self._writer.close()
        self._store.flush_coarse()
