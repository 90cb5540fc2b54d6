"""The classes of prostate tissue, as Gleason 2019 has them."""

from __future__ import annotations

from enum import IntEnum

from relay_tokens import ClassSchema, SegmentationClass


class Grade(IntEnum):
    """Label values, as :data:`GLEASON_CLASSES` names them."""

    BENIGN = 0
    """No cancer: glass, stroma and healthy glands."""
    GRADE_3 = 1
    """Well-formed, separate glands."""
    GRADE_4 = 2
    """Fused glands, cribriform sheets."""
    GRADE_5 = 3
    """No glands: cords and single cells."""


GLEASON_CLASSES = ClassSchema(
    (
        SegmentationClass("benign", "#009e73"),
        SegmentationClass("grade 3", "#f0e442"),
        SegmentationClass("grade 4", "#e69f00"),
        SegmentationClass("grade 5", "#d55e00"),
    )
)
"""What the label values mean, of synthetic cores and of Gleason 2019."""
