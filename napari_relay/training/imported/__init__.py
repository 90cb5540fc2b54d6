"""Class masks and polygons of other programs, laid over an image."""

from napari_relay.training.imported.class_mapping import (
    LEAVE_OUT,
    ClassMapping,
    agreed_mapping,
    refuse_unknown,
)
from napari_relay.training.imported.found import FoundClass, ImportProgress, ImportSummary
from napari_relay.training.imported.labels import (
    VECTOR_SUFFIXES,
    ImportedFile,
    ImportedLabels,
    open_import,
    survey,
)

__all__ = [
    "LEAVE_OUT",
    "VECTOR_SUFFIXES",
    "ClassMapping",
    "FoundClass",
    "ImportProgress",
    "ImportSummary",
    "ImportedFile",
    "ImportedLabels",
    "agreed_mapping",
    "open_import",
    "refuse_unknown",
    "survey",
]
