"""What depends on the context in a part of an image, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from napari_relay.exploring.changes import Changes, ChangeTally
from napari_relay.exploring.crop_runner import CropRunner
from napari_relay.exploring.what_if import ContextSwitch, WhatIf
from napari_relay.geometry import TileGrid, Window
from napari_relay.images import PyramidImage
from napari_relay.inference import CropPair, PredictOptions, tile_grid
from napari_relay.inference.reading import ReadAhead
from relay_tokens import Checkpoint, RelaySegmenter

MOST_TILES = 1024
"""Tiles of a view that are compared unless more are asked for."""

Index = tuple[int, int]


@dataclass(frozen=True)
class ViewChanges:
    """The changes of one more tile."""

    changes: Changes
    """Over the tile's own area."""
    tally: ChangeTally
    """Of all tiles so far."""
    done: int
    """Tiles so far."""
    total: int
    """Tiles that will be compared."""
    left_out: int
    """Tiles of the view that will not, because they are too many."""
    area: Window
    """Level-0 pixels around all tiles that will be compared."""


def view_changes(
    checkpoint: Checkpoint,
    image: PyramidImage,
    view: Window,
    what_if: WhatIf,
    options: PredictOptions | None = None,
    most_tiles: int = MOST_TILES,
) -> Iterator[ViewChanges]:
    """Compare, over a part of an image, what a model says with two contexts.

    The tiles are those of a prediction, from the middle of the view outwards.
    They are not blended with their neighbours as a prediction's are. For a worker
    thread; the same model may be predicting in another one, and the generator may
    be closed between any two tiles.

    Parameters
    ----------
    checkpoint
        A model with relay tokens.
    image
        With the bands that the model reads.
    view
        Level-0 pixels; parts outside the image are left out.
    what_if
        The other context.
    options
        The prediction's: tile grid, batch size, reader threads, device and
        precision are taken from them.
    most_tiles
        Of a larger view only so many tiles around its middle are compared.

    Yields
    ------
    ViewChanges
        One for each tile.

    Raises
    ------
    UserError
        As :func:`~napari_relay.exploring.what_if` does.
    """
    options = options or PredictOptions()
    runner = CropRunner(checkpoint, image, options)
    switch = ContextSwitch(runner, what_if)
    comparison = TileComparison(image, runner.model, runner.read, switch.compare, options)
    yield from comparison.over(view, most_tiles)


@dataclass(frozen=True)
class TileComparison:
    """Compares two answers tile by tile."""

    image: PyramidImage
    """What is looked at."""
    model: RelaySegmenter
    """Whose tiles."""
    read: Callable[[Window], CropPair]
    """Reads what a model sees of a window; called in several threads."""
    compare: Callable[[Sequence[CropPair], Sequence[Window]], list[Changes]]
    """Changes over each crop's whole window."""
    options: PredictOptions
    """The prediction's."""

    def over(self, view: Window, most_tiles: int) -> Iterator[ViewChanges]:
        """Compare the tiles of a view from its middle outwards, at most so many."""
        grid = tile_grid(self.image, self.model, self.options)
        rows, cols = grid.slices_of(view)
        chosen = middle_tiles(rows, cols, most_tiles)
        left_out = (rows.stop - rows.start) * (cols.stop - cols.start) - len(chosen)
        area, tally = _around(grid, chosen), ChangeTally()
        for done, changes in enumerate(self._compared(grid, chosen), start=1):
            tally = tally + changes.tally
            yield ViewChanges(changes, tally, done, len(chosen), left_out, area)

    def _compared(self, grid: TileGrid, tiles: Sequence[Index]) -> Iterator[Changes]:
        """Changes over each tile's own area, in order."""
        reader: ReadAhead[Index, CropPair] = ReadAhead(
            lambda tile: self.read(grid.crop(*tile)), self.options.reader_threads
        )
        try:
            size = self.options.batch_size
            read = reader.each(tiles, ahead=2 * size)
            for first in range(0, len(tiles), size):
                batch = dict(next(read) for _ in tiles[first : first + size])
                crops = [grid.crop(*tile) for tile in batch]
                found = self.compare(list(batch.values()), crops)
                for tile, changes in zip(batch, found, strict=True):
                    yield changes.within(grid.tile(*tile))
        finally:
            reader.close()


def middle_tiles(rows: slice, cols: slice, most: int) -> list[Index]:
    """Tiles of a rectangle from its middle outwards.

    Parameters
    ----------
    rows, cols
        The rectangle, in tiles.
    most
        From a larger rectangle a smaller one of about its shape is cut, with at
        most so many tiles around the same middle.
    """
    height, width = rows.stop - rows.start, cols.stop - cols.start
    if height * width > most:
        width = max(min(math.isqrt(most * width // height), width, most), 1)
        height = min(height, most // width)
        rows, cols = _middle(rows, height), _middle(cols, width)
    middle = rows.start + (height - 1) / 2, cols.start + (width - 1) / 2
    tiles = [(i, j) for i in range(rows.start, rows.stop) for j in range(cols.start, cols.stop)]
    return sorted(tiles, key=lambda tile: math.dist(tile, middle))


def _middle(span: slice, count: int) -> slice:
    first = span.start + (span.stop - span.start - count) // 2
    return slice(first, first + count)


def _around(grid: TileGrid, tiles: Sequence[Index]) -> Window:
    """The smallest window around tiles that fill a rectangle."""
    if not tiles:
        return Window(0, 0, 0, 0)
    first, last = grid.tile(*min(tiles)), grid.tile(*max(tiles))
    return Window(first.y0, first.x0, last.y1 - first.y0, last.x1 - first.x0)
