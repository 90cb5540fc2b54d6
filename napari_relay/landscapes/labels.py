"""The classes of a landscape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.drawn_once import drawn_once
from napari_relay.landscapes.features import Feature, FeatureKind
from napari_relay.landscapes.grid import Field
from napari_relay.landscapes.moats import Moats
from relay_tokens import ClassSchema, SegmentationClass

LANDSCAPE_CLASSES = ClassSchema(
    (
        SegmentationClass("background", "#666666"),
        SegmentationClass("mound", "#e69f00"),
        SegmentationClass("hydrology", "#0072b2"),
        SegmentationClass("temple", "#cc79a7"),
    )
)
"""What the label values mean, in the order of Archaeoscape's classes."""


class LandscapeClass(IntEnum):
    """Label values, as :data:`LANDSCAPE_CLASSES` names them."""

    BACKGROUND = 0
    MOUND = 1
    HYDROLOGY = 2
    TEMPLE = 3


SITE_CLASSES = {
    FeatureKind.MOUND: LandscapeClass.MOUND,
    FeatureKind.BASIN: LandscapeClass.HYDROLOGY,
    FeatureKind.PLATFORM: LandscapeClass.TEMPLE,
}
"""Class of a feature inside an enclosure; outside it is background."""


@dataclass(frozen=True, eq=False)
class PlacedFeature:
    """A feature on a grid."""

    feature: Feature
    """What it is."""
    is_site: bool
    """Whether it lies inside an enclosure."""
    part: tuple[slice, slice]
    """Rows and columns of the grid that it may reach."""
    radius: Field
    """Distance from its middle in radii, on that part."""

    @drawn_once
    def cover(self) -> Field:
        """How much of each point it hides of the ground, 0 ... 1, on that part."""
        return self.feature.cover(self.radius)


def draw_labels(
    placed: Iterable[PlacedFeature], moats: Moats, natural: Iterable[Field]
) -> NDArray[np.uint8]:
    """Label features of sites, moats and canals.

    Parameters
    ----------
    placed
        All features that meet the grid.
    moats
        On the grid.
    natural
        What lies on top and is background (rivers, roads): 0 ... 1 on the grid.

    Returns
    -------
    NDArray[np.uint8]
        ``(rows, cols)`` values of :class:`LandscapeClass`.
    """
    labels = np.where(moats.water > 0.5, np.uint8(LandscapeClass.HYDROLOGY), np.uint8(0))
    for made in placed:
        if made.is_site:
            labels[made.part][made.radius < 1] = SITE_CLASSES[made.feature.kind]
    for cover in natural:
        labels[cover > 0.5] = LandscapeClass.BACKGROUND
    return labels
