"""Files of classes as labels to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training.correction_values import MAX_CLASSES, class_labels
from napari_relay.training.imported.class_mapping import agreed_mapping, refuse_unknown
from napari_relay.training.imported.labels import ImportedLabels, open_import, survey
from napari_relay.training.labels import Labels, LabelSource
from napari_relay.training.mask_labels import MaskLabels
from relay_tokens import ClassSchema


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """Classes of a file; what is ignored, or only said not to be a class, has no label."""

    source: ImportedLabels
    """Values of ``correction_values``."""

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes; 255 where there is none."""
        return class_labels(self.source.read(window))


@dataclass(frozen=True)
class LabelPolygons:
    """The polygons of one image of a dataset; a ``LabelFile``."""

    path: Path
    """A vector file."""
    classes: ClassSchema
    """The dataset's."""
    words: tuple[str, ...]
    """``FILE'S WORD=CLASS`` each, see ``ClassMapping.told``."""

    def open(self, image: PyramidImage) -> LabelSource:
        """Lay them over the image.

        Raises
        ------
        UserError
            As :func:`training_labels`.
        """
        return training_labels(self.path, image, self.classes, self.words)


def training_labels(
    path: Path,
    image: PyramidImage,
    classes: ClassSchema,
    words: Sequence[str] = (),
    column: str | None = None,
) -> LabelSource:
    """A mask or the polygons of a vector file as labels.

    Parameters
    ----------
    path
        See :func:`~napari_relay.training.imported.open_import`.
    image
        What it labels.
    classes
        What the labels become.
    words
        ``FILE'S WORD=CLASS`` each, see ``ClassMapping.told``.
    column
        Of a vector file: which column says the class.

    Raises
    ------
    UserError
        When it cannot be read, does not fit, or has a class that is not known.
    """
    if len(classes) > MAX_CLASSES:  # too many for the values that say more than a class
        return MaskLabels(path, image, classes)
    file = open_import(path, image, classes, column)
    found = survey(file).classes
    mapping = agreed_mapping(found, words, classes)
    refuse_unknown(path, mapping, found, classes)
    return TrainingLabels(ImportedLabels(file, mapping))
