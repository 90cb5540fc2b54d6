"""What a worker of a cluster does: predict the regions it is given, straight into the store."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from distributed import Worker, WorkerPlugin, get_worker

from napari_relay.geometry import TileGrid
from napari_relay.images import PyramidImage, open_stack
from napari_relay.images.relief import matching_bands
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.inference.header import StoreHeader
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.run import PredictionRun
from napari_relay.inference.selection import TileMap
from napari_relay.inference.store import PredictionStore
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.todo import Todo
from relay_tokens import Checkpoint, UserError, load_checkpoint

Index = tuple[int, int]


class StoppedError(Exception):
    """The run that a worker's task belongs to has ended."""


@dataclass(frozen=True)
class ClusterJob:
    """What every worker must know of a run; it is sent to each once."""

    sources: tuple[Path, ...]
    """The image's files, where the workers find them too."""
    folder: Path
    """The prediction store, where the workers find it too."""
    model: Mapping[str, bytes]
    """The files of the checkpoint's folder."""
    options: PredictOptions
    """How to predict."""
    writer: str
    """Who holds the right to write to the store."""


class RegionResult(NamedTuple):
    """What a worker did of a region."""

    predicted: list[Index]
    """Tiles whose full resolution is in the store."""
    skipped: list[Index]
    """Tiles without data."""
    damaged: frozenset[tuple[int, int, int]]
    """Level, row and column of each part of the file that could not be decoded."""
    notices: tuple[str, ...]
    """What a person should be told."""


class RegionWriter:
    """A store as a worker uses it: it writes full resolution and keeps no record on disk.

    Parameters
    ----------
    store
        The store.
    writer
        Who must still hold the right to write; another run may have begun.
    stopped
        Set when the run is over.
    """

    def __init__(self, store: PredictionStore, writer: str, stopped: threading.Event) -> None:
        self._store, self._writer, self._stopped = store, writer, stopped
        self.predicted: list[Index] = []
        self.without_data: list[Index] = []

    @property
    def header(self) -> StoreHeader:
        """The store's header."""
        return self._store.header

    @property
    def grid(self) -> TileGrid:
        """The tile grid."""
        return self._store.grid

    @property
    def has_probabilities(self) -> bool:
        """Whether the store keeps the probability of every class."""
        return self._store.has_probabilities

    @property
    def finished(self) -> TileMap:
        """None: a worker does all that it is given."""
        return np.zeros(self.grid.shape, dtype=bool)

    @property
    def skipped(self) -> TileMap:
        """None either."""
        return np.zeros(self.grid.shape, dtype=bool)

    def write(self, tiles: Sequence[PredictedTile]) -> None:
        """Write the full resolution of tiles.

        Raises
        ------
        StoppedError
            When the run is over.
        """
        if self._stopped.is_set() or self._store.writer != self._writer:
            raise StoppedError
        self._store.write_level0(tiles)
        self.predicted += [tile.position for tile in tiles]

    def mark_skipped(self, positions: Iterable[Index]) -> None:
        """Note tiles without data."""
        self.without_data += positions

    def flush_coarse(self) -> None:
        """Do nothing: coarser levels are not a worker's."""


class RegionPredictor(WorkerPlugin):
    """Keeps image, model and store of one run on a worker; loads them with the first region.

    Parameters
    ----------
    name
        Under which the tasks find it.
    job
        What the run is about.
    """

    def __init__(self, name: str, job: ClusterJob) -> None:
        self.name = name
        self._job = job

    def setup(self, worker: Worker) -> None:
        """Take note of the worker it was sent to."""
        self._threads = max(int(worker.state.nthreads), 1)
        self._one_at_a_time = threading.Lock()
        self._stopped = threading.Event()
        self._loaded: tuple[Checkpoint, PyramidImage, PredictionStore] | None = None

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (distributed's signature)
        """End the task that is running, between two writes."""
        self._stopped.set()

    def predict(self, tiles: Sequence[Index]) -> RegionResult:
        """Predict the tiles of one region into the store.

        Raises
        ------
        UserError
            When the worker does not find the same image, or cannot read or write.
        """
        with self._one_at_a_time:
            checkpoint, image, store = self._loaded = self._loaded or self._load()
            wanted = np.zeros(store.grid.shape, dtype=bool)
            wanted[tuple(np.transpose(tiles))] = True
            writer = RegionWriter(store, self._job.writer, self._stopped)
            todo = Todo(wanted, wanted, np.zeros_like(wanted))
            run = PredictionRun(checkpoint, image, writer, todo, self._job.options)
            try:
                for _ in run.parts(_no_priority):
                    pass
                notices = run.report().notices
            finally:
                run.close()
            damaged = frozenset((c.level, c.window.y0, c.window.x0) for c in image.damage.chunks)
            return RegionResult(writer.predicted, writer.without_data, damaged, notices)

    def _load(self) -> tuple[Checkpoint, PyramidImage, PredictionStore]:
        torch.set_num_threads(self._threads)
        checkpoint = unpacked_model(self._job.model)
        store = PredictionStore.open(self._job.folder)
        image = matching_bands(open_stack(self._job.sources), checkpoint.metadata.bands)
        if image_fingerprint(image) != store.header.image:
            raise UserError(
                f"A worker of the cluster finds another image at {image.source}; the image must "
                "lie at the same path on all machines."
            )
        return checkpoint, image, store


def _no_priority() -> None:
    return None


def predict_region(plugin: str, tiles: Sequence[Index]) -> RegionResult:
    """Task that a worker runs: predict tiles with the plugin of that name."""
    return cast(RegionPredictor, get_worker().plugins[plugin]).predict(tiles)


def unpacked_model(files: Mapping[str, bytes]) -> Checkpoint:
    """Load a checkpoint from the files of its folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return load_checkpoint(folder)
