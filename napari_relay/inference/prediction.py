"""Tiled prediction of an image into a store."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.crops import check_fit
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.report import PredictionReport
from napari_relay.inference.run import PredictionRun, Priority
from napari_relay.inference.selection import Area
from napari_relay.inference.store import PredictionStore
from napari_relay.inference.todo import find_todo
from relay_tokens import Checkpoint


@dataclass(frozen=True)
class TileResult:
    """A tile that is now on disk, or a block of tiles that need not be predicted."""

    tile: Window
    """The tile's own area, or the block's, level-0 pixels."""
    done: int
    """Tiles finished or skipped so far among those asked for, earlier runs' included."""
    total: int
    """Tiles asked for."""
    notices: tuple[str, ...] = ()
    """What a person should be told now, one sentence each."""


def predict(
    checkpoint: Checkpoint,
    image: PyramidImage,
    store: PredictionStore,
    windows: Sequence[Area] | None = None,
    options: PredictOptions | None = None,
    priority: Priority | None = None,
) -> Generator[TileResult, None, PredictionReport]:
    """Predict tile by tile, with what is missing in the store.

    Every tile is the weighted mean of the softmax of all crops over it that
    have data, summed in a fixed order: the result does not depend on the order
    of the tiles, the number of threads, the memory, restarts, what else is
    asked for or skipped; nor on the batch size, up to the rounding of the
    device's kernels (none on the CPUs this was tried on). The generator may be
    closed between any two tiles; what was finished stays.

    Parameters
    ----------
    checkpoint
        The model; it is put on the device and into eval mode, else unchanged.
    image
        What the store was made for.
    store
        Tiles that it has already are left alone.
    windows
        Windows or polygons (:data:`~napari_relay.inference.selection.Area`), level-0
        pixels; all tiles that meet one are predicted. None: the image.
    options
        The options the store was made with; batch size, device, precision,
        threads, memory and skipping of glass may differ.
    priority
        Asked between batches which window should come first, e.g. what a
        person looks at.

    Yields
    ------
    TileResult
        For each tile, after all of it is on disk, and for each block of tiles
        without data or with nothing but glass.

    Returns
    -------
    PredictionReport
        What was done; :class:`~napari_relay.inference.report.WithReport` keeps it.

    Raises
    ------
    UserError
        When image, model, store and options do not fit each other, somebody
        else writes to the store, there is no such device, the image can no
        longer be read, the disk is full or memory too small.
    """
    options = options or PredictOptions()
    check_fit(image, checkpoint.metadata)
    store.check(image, checkpoint, options)
    with store.writing():
        todo = find_todo(image, store, windows, options)
        run = PredictionRun(checkpoint, image, store, todo, options)
        try:
            for part in run.parts(priority or _no_priority):
                yield TileResult(part.window, run.done, run.total, run.take_notices())
            return run.report()
        finally:
            run.close()


def _no_priority() -> Window | None:
    return None
