"""The report of a prediction: a page to read, one to pass on, tables and pictures."""

from __future__ import annotations

import csv
import tempfile
from base64 import b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.reporting.area_table import PIXELS, UNITS, fitting_unit
from napari_relay.exporting.reporting.facts import Fact, facts, incomplete_sentence
from napari_relay.exporting.reporting.gleason import NOT_FOR_DIAGNOSIS
from napari_relay.exporting.reporting.object_sums import (
    OBJECT_COLUMNS,
    ObjectSums,
    object_cells,
    object_table,
)
from napari_relay.exporting.reporting.page import card_html, card_text, check_packages, render
from napari_relay.exporting.reporting.pictures import (
    ReportPicture,
    draw_confidence,
    draw_maps,
    draw_sizes,
    save_plot,
)
from napari_relay.exporting.reporting.sums import PredictionSums, sum_prediction
from napari_relay.exporting.reporting.tables import (
    Table,
    area_table,
    correction_sentence,
    correction_table,
    gleason_table,
    pattern_table,
    write_areas,
)
from napari_relay.exporting.vectors import ObjectOptions, iter_objects
from napari_relay.exporting.whole import whole_file, whole_folder
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import Checkpoint, ClassSchema

HTML_SUFFIX = ".html"
PAGES = ("report.html", "report.md")
AREAS, OBJECTS = "areas.csv", "objects.csv"
CONFIDENCE_TEXT = (
    "How sure the model was where it chose each class. It says nothing of how often it was right."
)
SIZES_TEXT = "How many objects of each class have which area, four steps a power of ten."
_COUNTED, _LISTED, _ALL = 45, 80, 100
"""Parts that are done once pixels are counted, objects are listed, and all is written."""


@dataclass(frozen=True)
class ReportOptions:
    """What a report tells of."""

    objects: ObjectOptions = field(default_factory=ObjectOptions)
    """Which classes, where, and which objects; areas and confidence are of the same
    classes and places, but of all pixels there."""
    checkpoint: Checkpoint | None = None
    """The model that predicted, for its card; None: the report has no card."""
    corrections: CorrectionStore | None = None
    """What was painted over the image; None: the report has nothing of it."""


@dataclass(frozen=True)
class _Found:
    """What was counted."""

    sums: PredictionSums
    """Pixels."""
    objects: ObjectSums
    """Objects."""
    unit: str
    """Of the objects' areas, before it is squared."""


def export_report(
    store: PredictionStore,
    image: PyramidImage,
    path: str | Path,
    options: ReportOptions | None = None,
) -> Iterator[ExportProgress]:
    """Write the report of a prediction, whole or not at all.

    A ``path`` that ends in ``.html`` becomes one page that holds its pictures; any other a
    folder with ``report.html`` (the same page), ``report.md`` with the pictures beside it,
    ``areas.csv`` and ``objects.csv``.

    Parameters
    ----------
    store
        What was predicted; tiles that are not finished do not count.
    image
        What it was predicted of.
    path
        Where to write. A page that is there is replaced, a folder is not.
    options
        Which classes, objects and places; card and corrections.

    Yields
    ------
    ExportProgress
        When the iteration is given up before the last one, nothing is left behind.

    Raises
    ------
    UserError
        When it cannot be written, or a package that reports need is missing.
    """
    path, options = Path(path), options or ReportOptions()
    check_packages()
    with _target(path) as folder:
        content = yield from _written(store, image, path, folder, options)
        if path.suffix.lower() == HTML_SUFFIX:
            with whole_file(path) as scratch:
                scratch.write_text(content[PAGES[0]], encoding="utf-8")
        else:
            for name, text in content.items():
                (folder / name).write_text(text, encoding="utf-8")
    yield ExportProgress(path, _ALL, _ALL)


@contextmanager
def _target(path: Path) -> Iterator[Path]:
    """The folder in which tables and pictures are written first."""
    if path.suffix.lower() == HTML_SUFFIX:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        with whole_folder(path) as folder:
            folder.mkdir()
            yield folder


def _written(
    store: PredictionStore, image: PyramidImage, path: Path, folder: Path, options: ReportOptions
) -> Generator[ExportProgress, None, dict[str, str]]:
    """Write tables and pictures; the pages by their names."""
    found = yield from _counted(store, image, path, folder, options)
    chosen = _chosen(options.objects, store.classes)
    write_areas(folder / AREAS, found.sums, store.classes, image, chosen)
    pictures: list[ReportPicture] = []
    for picture in _pictures(store, image, folder, found, chosen, options.objects.within):
        pictures.append(picture)
        yield ExportProgress(path, min(_LISTED + 3 * len(pictures), _ALL - 1), _ALL)
    content = _content(store, image, found, chosen, options)
    shown = [(one, b64encode((folder / one.file).read_bytes()).decode()) for one in pictures]
    return {name: render(name, {**content, "pictures": shown}) for name in PAGES}


def _chosen(options: ObjectOptions, classes: ClassSchema) -> tuple[int, ...]:
    """Classes of the tables; where none is named all of them, the background too."""
    everything = tuple(range(len(classes)))
    if options.classes is None:
        return everything
    return tuple(np.flatnonzero(options.label_flags(classes)).tolist())


def _counted(
    store: PredictionStore, image: PyramidImage, path: Path, folder: Path, options: ReportOptions
) -> Generator[ExportProgress, None, _Found]:
    """Count pixels, then objects, which are written one by one."""
    counting = sum_prediction(store, options.objects.within)
    while True:
        try:
            done, regions = next(counting)
        except StopIteration as end:
            sums: PredictionSums = end.value
            break
        yield ExportProgress(path, _COUNTED * done // regions, _ALL)
    objects, unit = ObjectSums(), "px"
    with (folder / OBJECTS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(OBJECT_COLUMNS)
        for found in iter_objects(store, image, options.objects):
            objects.add(found)
            unit = found.unit
            table.writerow(object_cells(found))
            share = (_LISTED - _COUNTED) * found.window.y1 // store.shape[0]
            yield ExportProgress(path, _COUNTED + share, _ALL)
    return _Found(sums, objects, unit)


def _pictures(
    store: PredictionStore,
    image: PyramidImage,
    folder: Path,
    found: _Found,
    chosen: tuple[int, ...],
    within: shapely.Geometry | None,
) -> Iterator[ReportPicture]:
    classes = store.classes
    yield from draw_maps(store, image, classes, folder, within)
    if found.sums.classed:
        drawn = draw_confidence(found.sums, classes, chosen)
        title = "Confidence class by class"
        yield save_plot(drawn, folder, title, CONFIDENCE_TEXT, "confidence-histogram")
    if found.objects.count:
        unit = _square(found.unit)
        drawn = draw_sizes(found.objects.by_class, classes, unit)
        yield save_plot(drawn, folder, "Sizes of the objects", SIZES_TEXT, "sizes")


def _content(
    store: PredictionStore,
    image: PyramidImage,
    found: _Found,
    chosen: tuple[int, ...],
    options: ReportOptions,
) -> dict[str, object]:
    """What both pages say."""
    classes, sums = store.classes, found.sums
    card = None if options.checkpoint is None else card_text(options.checkpoint)
    gleason = gleason_table(sums, classes)
    return {
        "title": image.source.name,
        "facts": _facts(store, image, sums, options),
        "incomplete": incomplete_sentence(sums),
        "areas": area_table(sums, classes, image, chosen),
        "objects": _object_table(found, store),
        "filters": _filter_sentence(options.objects, found.unit),
        "gleason": gleason,
        "patterns": None if gleason is None else pattern_table(sums, classes),
        "not_for_diagnosis": NOT_FOR_DIAGNOSIS,
        "corrections": _corrections(options.corrections, image),
        "correction_log": correction_sentence(options.corrections) if options.corrections else "",
        "card": card,
        "card_html": None if card is None else card_html(card),
    }


def _facts(
    store: PredictionStore, image: PyramidImage, sums: PredictionSums, options: ReportOptions
) -> list[Fact]:
    return facts(store, image, sums, options.objects.within is not None)


def _object_table(found: _Found, store: PredictionStore) -> Table | None:
    by_class = found.objects.by_class
    if not by_class:
        return None
    # Objects of an image in degrees are in metres all the same.
    middle = max(float(np.median(one.areas)) for one in by_class)
    return object_table(by_class, store.classes, fitting_unit(UNITS.get(found.unit, ()), middle))


def _filter_sentence(options: ObjectOptions, unit: str) -> str:
    """Which objects were left out; empty: none."""
    shown = _square(unit)
    parts = []
    if options.minimum_area:
        parts.append(f"smaller than {options.minimum_area:g} {shown}")
    if options.minimum_confidence:
        parts.append(f"with a mean confidence under {options.minimum_confidence:g}")
    return f"Left out are objects {' and '.join(parts)}." if parts else ""


def _square(unit: str) -> str:
    """Name of the square of a unit of length."""
    return next(iter(UNITS.get(unit, (PIXELS,)))).name


def _corrections(corrections: CorrectionStore | None, image: PyramidImage) -> Table | None:
    return None if corrections is None else correction_table(corrections, image)
