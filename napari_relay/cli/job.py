"""One prediction from the command line: where it goes, how it is resumed and how it ends."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from napari_relay.cli.group import INTERRUPTED, say_error
from napari_relay.cli.progress import step_bar
from napari_relay.exporting import export_mask
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import (
    Area,
    PredictionReport,
    PredictionStore,
    PredictOptions,
    TileResult,
    WithReport,
    predict,
)
from relay_tokens import Checkpoint, UserError

MASK_SUFFIXES = (".tif", ".tiff")
"""Suffixes of an output that is a class mask."""
STORE_SUFFIX = ".zarr"
"""Suffix of an output that is the prediction store itself."""


def check_output(output: Path) -> None:
    """Refuse an output that could not be written at the end of a long run.

    Raises
    ------
    UserError
        When the suffix is not known or the folder cannot be written.
    """
    if output.suffix not in (*MASK_SUFFIXES, STORE_SUFFIX):
        raise UserError(
            f"{output} is neither a mask nor a store; end its name in .tif or {STORE_SUFFIX}."
        )
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise UserError(
            f"Nothing can be written to {output.parent} ({error.strerror}); "
            "choose a folder that is there and can be written."
        ) from error


def load_cluster() -> Callable[..., Generator[TileResult, None, PredictionReport]]:
    """Import what predicts on a cluster.

    Raises
    ------
    UserError
        When dask.distributed is not installed.
    """
    if importlib.util.find_spec("distributed") is None:
        raise UserError(
            "A cluster needs dask.distributed, which is not installed; run: "
            "pip install 'napari-relay[cluster]'."
        )
    from napari_relay.inference.cluster import predict_on_cluster

    return predict_on_cluster


@dataclass(frozen=True)
class PredictionJob:
    """All that a run of ``napari-relay predict`` needs."""

    checkpoint: Checkpoint
    """The model."""
    image: PyramidImage
    """What it segments."""
    output: Path
    """Mask or store to write."""
    areas: Sequence[Area] | None
    """Parts of the image whose tiles are predicted; None: all of it."""
    options: PredictOptions
    """Device, batch size, attention."""
    keep_store: bool
    """Whether the store stays beside a mask."""
    cluster: str | None = None
    """Address of the dask scheduler whose workers predict; None: this process."""

    @property
    def writes_mask(self) -> bool:
        """Whether the output is a class mask."""
        return self.output.suffix in MASK_SUFFIXES

    @property
    def folder(self) -> Path:
        """Folder of the prediction store."""
        name = f"{self.output.name}.prediction{STORE_SUFFIX}"
        return self.output.with_name(name) if self.writes_mask else self.output

    def run(self) -> None:
        """Predict what is missing, write the mask, and say where it is.

        Raises
        ------
        UserError
            When the window lies outside the image, or something cannot be read or written.
        """
        self._check_areas()
        is_new = not self.folder.exists()
        store = PredictionStore.open_or_create(
            self.folder, self.image, self.checkpoint, self.options
        )
        try:
            report = self._predict(store)
        except KeyboardInterrupt as error:
            say_error(self._stopped(store))
            raise typer.Exit(INTERRUPTED) from error
        finally:
            if is_new and not (store.finished | store.skipped).any():
                shutil.rmtree(self.folder)
        if self.writes_mask:
            self._write_mask(store)
        self._say(report)
        Console(highlight=False).print(f"Wrote {self.output}", markup=False, soft_wrap=True)

    def _say(self, report: PredictionReport) -> None:
        console = Console(stderr=True, highlight=False)
        for sentence in report.sentences:
            console.print(sentence, markup=False, soft_wrap=True)

    def _check_areas(self) -> None:
        for area in self.areas or ():
            if isinstance(area, Window) and not area.intersects(self.image.window):
                height, width = self.image.shape
                raise UserError(
                    f"The window {','.join(map(str, area))} lies outside "
                    f"{self.image.source}, which has {height} rows and {width} columns."
                )

    def _predict(self, store: PredictionStore) -> PredictionReport:
        before = int(store.finished.sum())
        if before:
            say = Console(stderr=True, highlight=False)
            say.print(f"Going on: {before} of {store.finished.size} tiles were done before.")
        results = WithReport(self._results(store))
        with (
            step_bar(f"Predicting {self.image.source.name}", "tiles") as bar,
            # Its threads end before anything else is said or removed.
            closing(results),
        ):
            for result in results:
                for notice in result.notices:
                    bar.say(notice)
                bar.show(result.done, result.total)
        assert results.report is not None
        return results.report

    def _results(self, store: PredictionStore) -> Generator[TileResult, None, PredictionReport]:
        request = self.checkpoint, self.image, store, self.areas, self.options
        if self.cluster is None:
            return predict(*request)
        predict_on_cluster = load_cluster()
        return predict_on_cluster(self.cluster, *request)

    def _stopped(self, store: PredictionStore) -> str:
        finished = store.finished
        if not finished.any():
            return "Stopped before the first tile was done."
        return (
            f"Stopped: {int(finished.sum())} of {finished.size} tiles are done and kept in "
            f"{self.folder}; run the same command again to go on."
        )

    def _write_mask(self, store: PredictionStore) -> None:
        export_mask(store, self.image, self.output)
        if not self.keep_store:
            shutil.rmtree(self.folder)
