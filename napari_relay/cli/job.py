"""One prediction from the command line: where it goes, how it is resumed and how it ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import typer
from rich.console import Console

from napari_relay.cli.group import INTERRUPTED, say_error
from napari_relay.cli.progress import step_bar
from napari_relay.exporting import export_mask
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, TileResult, predict
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


@dataclass(frozen=True)
class PredictionJob:
    """All that a run of ``napari-relay predict`` needs."""

    checkpoint: Checkpoint
    """The model."""
    image: PyramidImage
    """What it segments."""
    output: Path
    """Mask or store to write."""
    window: Window | None
    """Part of the image whose tiles are predicted; None: all of it."""
    options: PredictOptions
    """Device, batch size, attention."""
    keep_store: bool
    """Whether the store stays beside a mask."""

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
        self._check_window()
        is_new = not self.folder.exists()
        store = PredictionStore.open_or_create(
            self.folder, self.image, self.checkpoint, self.options
        )
        try:
            self._predict(store)
        except KeyboardInterrupt as error:
            say_error(self._stopped(store))
            raise typer.Exit(INTERRUPTED) from error
        finally:
            if is_new and not store.finished.any():
                shutil.rmtree(self.folder)
        if self.writes_mask:
            self._write_mask(store)
        Console(highlight=False).print(f"Wrote {self.output}", markup=False, soft_wrap=True)

    def _check_window(self) -> None:
        if self.window is not None and not self.window.intersects(self.image.window):
            height, width = self.image.shape
            raise UserError(
                f"The window {','.join(map(str, self.window))} lies outside "
                f"{self.image.source}, which has {height} rows and {width} columns."
            )

    def _predict(self, store: PredictionStore) -> None:
        before = int(store.finished.sum())
        if before:
            say = Console(stderr=True, highlight=False)
            say.print(f"Going on: {before} of {store.finished.size} tiles were done before.")
        windows = None if self.window is None else [self.window]
        results = predict(self.checkpoint, self.image, store, windows, self.options)
        with (
            step_bar(f"Predicting {self.image.source.name}", "tiles") as bar,
            # Its threads end before anything else is said or removed.
            closing(cast("Generator[TileResult]", results)),
        ):
            for result in results:
                bar.show(result.done, result.total)

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
