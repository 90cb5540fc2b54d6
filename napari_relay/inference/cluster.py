"""Predicting an image on many machines, with ``dask.distributed``."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from distributed import Client, Future, KilledWorker, as_completed
from distributed.comm.core import connect

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.cluster_worker import (
    ClusterJob,
    RegionPredictor,
    RegionResult,
    predict_region,
)
from napari_relay.inference.crops import check_fit
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.prediction import TileResult
from napari_relay.inference.regions import TileRegion
from napari_relay.inference.report import PredictionReport
from napari_relay.inference.seams import seam_score
from napari_relay.inference.selection import Area, TileMap, area_of, blocks_of
from napari_relay.inference.store import PredictionStore
from napari_relay.inference.todo import find_todo
from relay_tokens import Checkpoint, UserError, save_checkpoint

TILES_A_SIDE = 24
"""Least tiles on a side of what a worker does at once, where the image is as large: crops
at its rim are computed by its neighbour too, 17 % of them at this size."""
CONNECT_SECONDS = 20
"""How long to wait for the scheduler, and for its first worker."""


def predict_on_cluster(
    address: str,
    checkpoint: Checkpoint,
    image: PyramidImage,
    store: PredictionStore,
    windows: Sequence[Area] | None = None,
    options: PredictOptions | None = None,
) -> Generator[TileResult, None, PredictionReport]:
    """Predict as :func:`~napari_relay.inference.prediction.predict` does, on a cluster.

    The workers read the image and write full resolution to the store, so both
    must lie where all machines find them at the same path; the model is sent to
    them. Each does whole files of the store, so no two write the same one; this
    process writes the coarser levels and the map of finished tiles. What a
    killed worker was doing is done again by another.

    Parameters
    ----------
    address
        Of the scheduler, e.g. ``tcp://10.0.0.1:8786``.
    checkpoint, image, store, windows, options
        As for ``predict``. The device is chosen on each worker.

    Yields
    ------
    TileResult
        For each region of tiles, after all of it is on disk.

    Returns
    -------
    PredictionReport
        What was done.

    Raises
    ------
    UserError
        As ``predict``; and when there is no scheduler or no worker, or a region
        ends its worker again and again.
    """
    options = options or PredictOptions()
    check_fit(image, checkpoint.metadata)
    store.check(image, checkpoint, options)
    with store.writing(), _connected(address) as client:
        run = _ClusterRun(client, checkpoint, image, store, windows, options)
        try:
            yield from run.results()
            return run.report()
        finally:
            run.close()


class _ClusterRun:
    """One run: regions are given to workers, and what they wrote is taken over."""

    def __init__(
        self,
        client: Client,
        checkpoint: Checkpoint,
        image: PyramidImage,
        store: PredictionStore,
        areas: Sequence[Area] | None,
        options: PredictOptions,
    ) -> None:
        self._started = perf_counter()
        self._client, self._image, self._store = client, image, store
        self._todo = find_todo(image, store, areas, options)
        self._done = int(self._todo.wanted.sum()) - int(self._todo.missing.sum())
        self._predicted = 0
        self._damaged: set[tuple[int, int, int]] = set()
        self._notices: list[str] = []
        self._plugin = f"napari-relay-{uuid4().hex}"
        # Glass is left out here, once for all workers.
        job = ClusterJob(
            tuple(path.resolve() for path in image.sources),
            store.folder.resolve(),
            packed_model(checkpoint),
            replace(options, skip_glass=False),
            store.writer,
        )
        client.register_plugin(RegionPredictor(self._plugin, job))
        self._given: dict[Future[RegionResult], TileRegion] = {}

    def results(self) -> Iterator[TileResult]:
        """Skip glass, then give every region with missing tiles to a worker."""
        yield from self._skip(self._todo.glass)
        missing = self._todo.missing & ~self._todo.glass
        for region in self._store.regions(TILES_A_SIDE):
            tiles = [tile for tile in region.tiles if missing[tile]]
            if tiles:
                task = self._client.submit(predict_region, self._plugin, tiles, pure=False)
                self._given[task] = region
        for task in as_completed(list(self._given)):
            region = self._given.pop(task)
            yield from self._take_over(region, self._result(task, region))

    def _skip(self, tiles: TileMap) -> Iterator[TileResult]:
        for block in blocks_of(tiles):
            positions = block.positions(tiles[block.slices])
            self._store.mark_skipped(positions)
            yield self._counted(block.window(self._store.grid), len(positions))

    def _result(self, task: Future[RegionResult], region: TileRegion) -> RegionResult:
        try:
            result: RegionResult = task.result()
        except KilledWorker as error:
            y0, x0, *_ = region.window(self._store.grid)
            raise UserError(
                f"The tiles from row {y0}, column {x0} of {self._image.source} ended "
                f"{error.allowed_failures + 1} workers, probably for want of memory; give the "
                "workers more, or a smaller batch size, and run the same command again."
            ) from error
        return result

    def _take_over(self, region: TileRegion, result: RegionResult) -> Iterator[TileResult]:
        self._store.absorb(region, result.predicted)
        self._store.mark_skipped(result.skipped)
        self._predicted += len(result.predicted)
        self._damaged |= result.damaged
        new = tuple(notice for notice in result.notices if notice not in self._notices)
        self._notices += new
        tiles = len(result.predicted) + len(result.skipped)
        yield self._counted(region.window(self._store.grid), tiles, new)

    def _counted(self, window: Window, tiles: int, notices: tuple[str, ...] = ()) -> TileResult:
        self._done += tiles
        return TileResult(window, self._done, int(self._todo.wanted.sum()), notices)

    def report(self) -> PredictionReport:
        """What was done, after the end."""
        wanted: TileMap = self._todo.wanted
        skipped = self._store.skipped & wanted
        return PredictionReport(
            source=self._image.source,
            predicted=self._predicted,
            total=int(wanted.sum()),
            skipped=int(skipped.sum()),
            skipped_share=area_of(self._store.grid, skipped)
            / max(area_of(self._store.grid, wanted), 1),
            damaged_chunks=len(self._damaged),
            seam_score=seam_score(self._store),
            notices=tuple(self._notices),
            seconds=perf_counter() - self._started,
        )

    def close(self) -> None:
        """Have the workers stop, and forget the model."""
        self._client.cancel(list(self._given))
        self._client.unregister_worker_plugin(self._plugin)
        self._store.flush_coarse()


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A connection to a cluster that has at least one worker.

    Raises
    ------
    UserError
        When there is no scheduler, or no worker.
    """
    # A Client that finds no scheduler would leave a thread behind.
    try:
        asyncio.run(_try_connection(address))
    except (OSError, ValueError) as error:
        raise UserError(
            f"There is no cluster at {address}; start one with `dask scheduler`, "
            "and `dask worker` on each machine."
        ) from error
    with Client(address, timeout=CONNECT_SECONDS) as client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"The cluster at {address} has no workers; start some with "
                f"`dask worker {address}` where napari-relay is installed."
            ) from error
        yield client


async def _try_connection(address: str) -> None:
    comm = await connect(address, timeout=CONNECT_SECONDS)
    await comm.close()


def packed_model(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of a checkpoint's folder, to be sent."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_checkpoint(folder, checkpoint.model, checkpoint.metadata)
        return {path.name: path.read_bytes() for path in folder.iterdir()}
