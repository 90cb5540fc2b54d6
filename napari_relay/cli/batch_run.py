"""The work of a batch: every image predicted and exported, as far as that is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from rich.console import Console

from napari_relay.cli.batch_images import BatchImage
from napari_relay.cli.batch_record import DONE, ImageRecord, stamp_of
from napari_relay.cli.export_options import Filters, QuantityName
from napari_relay.cli.export_run import run_export
from napari_relay.cli.group import sentence_for
from napari_relay.cli.interrupting import between_steps
from napari_relay.cli.progress import open_with_bar, step_bar
from napari_relay.exporting.formats import ExportFormat, ExportRequest
from napari_relay.exporting.reporting.area_table import area_units, pixel_area
from napari_relay.images import PyramidImage
from napari_relay.images.known_pixel_sizes import with_known_pixel_size
from napari_relay.images.relief import matching_bands
from napari_relay.inference import (
    PredictionStore,
    PredictOptions,
    can_show_glass,
    check_fit,
    predict,
)
from napari_relay.inference.class_counts import ClassCounts
from napari_relay.inference.selection import area_of
from relay_tokens import Checkpoint

STORE = "prediction.zarr"
Status = Literal["done", "done before", "failed"]


@dataclass(frozen=True)
class BatchOptions:
    """How every image of a batch is done."""

    formats: tuple[ExportFormat, ...]
    """What is written of each."""
    quantity: QuantityName
    """What the pixels of rasters are."""
    filters: Filters
    """Which objects."""
    predict: PredictOptions
    """How it is predicted."""
    keep_stores: bool
    """Whether the prediction stores stay once all is written."""


@dataclass(frozen=True)
class BatchResult:
    """What came of one image."""

    image: BatchImage
    """Which."""
    status: Status
    """How it went."""
    record: ImageRecord | None = None
    """What came out; None where it failed."""
    sentence: str = ""
    """Why it failed."""


class Batch:
    """Images that are done by one model, in one folder.

    Parameters
    ----------
    checkpoint
        The model.
    folder
        Where each image gets a folder of its own.
    options
        How they are done.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, options: BatchOptions) -> None:
        self._checkpoint, self._folder, self._options = checkpoint, folder, options

    def run(self, images: Sequence[BatchImage]) -> Iterator[BatchResult]:
        """Do what is missing of each image; one that fails stops none of the others."""
        console = Console(stderr=True, highlight=False)
        for number, image in enumerate(images, 1):
            title = f"[{number}/{len(images)}] {image.path.name}"
            try:
                yield self._one(image, console, title)
            except Exception as error:
                # Whatever is wrong with one image, the others are not to wait for it.
                sentence = sentence_for(error) or f"{type(error).__name__}: {error}"
                console.print(f"{title} failed: {sentence}", markup=False, soft_wrap=True)
                yield BatchResult(image, "failed", sentence=" ".join(sentence.split()))

    def _one(self, image: BatchImage, console: Console, title: str) -> BatchResult:
        folder = self._folder / image.name
        record = ImageRecord.read(folder)
        is_known = record is not None and record.stamp == stamp_of(image.path)
        if record is not None and is_known and not self._missing(image, folder):
            console.print(f"{title}: done before", markup=False, soft_wrap=True)
            return BatchResult(image, "done before", record)
        console.print(title, markup=False, soft_wrap=True)
        if record is not None and not is_known:
            shutil.rmtree(folder)  # it is of an image that was replaced
        return BatchResult(image, "done", self._do(image, folder))

    def _do(self, image: BatchImage, folder: Path) -> ImageRecord:
        """Predict what is missing, write what is missing, and record it."""
        started, stamp = monotonic(), stamp_of(image.path)
        opened = with_known_pixel_size(open_with_bar(image.path))
        matched = matching_bands(opened, self._checkpoint.metadata.bands)
        check_fit(matched, self._checkpoint.metadata)
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        store = self._predicted(matched, folder / STORE)
        request = ExportRequest(
            self._options.quantity, self._options.filters.options(opened), self._checkpoint
        )
        for one in self._missing(image, folder):
            run_export(one, store, opened, self._path(one, image, folder), request)
        record = _record(image.path, stamp, opened, store, monotonic() - started)
        record.write(folder)
        if not self._options.keep_stores:
            shutil.rmtree(folder / STORE)
        return record

    def _predicted(self, image: PyramidImage, folder: Path) -> PredictionStore:
        """Predict all of an image that is missing; Ctrl-C ends it between two tiles."""
        options = self._options.predict
        store = PredictionStore.open_or_create(folder, image, self._checkpoint, options)
        if (store.finished | store.skipped).all():
            return store
        tiles = predict(self._checkpoint, image, store, options=_for(image, options))
        with (
            between_steps() as wish,
            step_bar(f"Predicting {image.source.name}", "tiles") as bar,
            closing(tiles),
        ):
            for tile in tiles:
                for notice in tile.notices:
                    bar.say(notice)
                bar.show(tile.done, tile.total)
                wish.check()
        return store

    def _missing(self, image: BatchImage, folder: Path) -> list[ExportFormat]:
        """Formats that are not written yet."""
        return [f for f in self._options.formats if not self._path(f, image, folder).exists()]

    def _path(self, one: ExportFormat, image: BatchImage, folder: Path) -> Path:
        request = ExportRequest(quantity=self._options.quantity)
        return folder / one.file_name(image.name, request)


def _for(image: PyramidImage, options: PredictOptions) -> PredictOptions:
    """Bare glass is left out where there may be any."""
    from dataclasses import replace

    return replace(options, skip_glass=options.skip_glass and can_show_glass(image))


def _clear(folder: Path) -> None:
    """Delete what a killed run had not written to the end."""
    for path in folder.glob(".*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / DONE).unlink(missing_ok=True)


def _record(
    path: Path,
    stamp: tuple[int, int],
    image: PyramidImage,
    store: PredictionStore,
    seconds: float,
) -> ImageRecord:
    counts = ClassCounts(store)
    for _ in counts.count_new():
        pass
    units, grid = area_units(image), store.grid
    covered = area_of(grid, store.finished | store.skipped) / (grid.height * grid.width)
    return ImageRecord(
        str(path),
        stamp,
        image.shape[1],
        image.shape[0],
        pixel_area(image),
        units[0].column if units else "px",
        dict(zip(store.classes.names, counts.pixels.tolist(), strict=True)),
        covered,
        round(seconds, 1),
    )
