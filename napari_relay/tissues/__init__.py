"""Sample tissue: synthetic prostate cores whose grade is the arrangement of glands.

``docs/tissue.md`` says what makes a grade.
"""

from __future__ import annotations

from napari_relay.tissues.core import TissueCore, TissuePatch
from napari_relay.tissues.label_source import TissueLabels
from napari_relay.tissues.labels import GLEASON_CLASSES, Grade
from napari_relay.tissues.pyramid import tissue_image
from napari_relay.tissues.stains import Staining
from napari_relay.tissues.writing import CoreProgress, write_cores

__all__ = [
    "GLEASON_CLASSES",
    "CoreProgress",
    "Grade",
    "Staining",
    "TissueCore",
    "TissueLabels",
    "TissuePatch",
    "tissue_image",
    "write_cores",
]
