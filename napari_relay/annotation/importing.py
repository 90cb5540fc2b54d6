"""Corrections from files that other programs made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.annotation.history import Step
from napari_relay.annotation.painting import Patch, paint
from napari_relay.annotation.step_log import StepLog
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training.imported import (
    ClassMapping,
    ImportedLabels,
    agreed_mapping,
    open_import,
    refuse_unknown,
    survey,
)
from relay_tokens import IGNORE_INDEX


@dataclass(frozen=True, eq=False)
class ImportedPainting:
    """What a file says, to be painted."""

    labels: ImportedLabels
    """The file, with what its classes mean."""

    @property
    def window(self) -> Window:
        """What of the image it says something of."""
        return self.labels.window

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window."""
        values = self.labels.read(window)
        mask = values != IGNORE_INDEX
        return Patch(mask, values) if mask.any() else None


def import_corrections(
    store: CorrectionStore,
    image: PyramidImage,
    path: str | Path,
    column: str | None = None,
    mapping: ClassMapping | None = None,
) -> dict[int, int]:
    """Paint a mask or the polygons of a vector file into corrections, and save them.

    Parameters
    ----------
    store
        What is painted in; what the file says nothing of stays.
    image
        The image of these corrections.
    path
        A mask of values or colours, or a vector file with a class column.
    column
        Which column says what a polygon is; None: the one that most likely does.
    mapping
        What the file's classes mean; None: what their names and numbers suggest.

    Returns
    -------
    dict[int, int]
        How many pixels got each value.

    Raises
    ------
    UserError
        When the file cannot be read or has a class whose meaning is not known:
        then nothing is changed.
    """
    file = open_import(path, image, store.schema, column)
    found = survey(file).classes
    known = mapping or agreed_mapping(found, (), store.schema)
    refuse_unknown(path, known, found, store.schema)
    step = Step(tool=f"import {Path(path).name}")
    painting = ImportedPainting(ImportedLabels(file, known))
    for _ in paint(store.pyramid, painting, step):
        pass
    if step:
        StepLog(store).made(step)
    store.flush()
    return step.counts
