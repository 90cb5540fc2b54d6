"""Outlines of objects, which may go on from strip to strip."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.corners import find_corners, no_corners
from napari_relay.exporting.vectors.joining import Joined
from napari_relay.exporting.vectors.rings import trace
from napari_relay.exporting.vectors.runs import Flags
from napari_relay.exporting.vectors.strips import Strip

Polygons = NDArray[np.object_]
"""Shapely polygons in level-0 pixel corners ``(x, y)``; or None each."""


class Outlines(Protocol):
    """What makes the outlines of objects, strip after strip."""

    def take(self, joined: Joined, strip: Strip, wanted: Flags, /) -> Polygons:
        """Take note of a strip.

        Returns
        -------
        NDArray
            Outlines of the ``wanted`` objects, which have ended, in their order.
        """


class NoOutlines:
    """None, where only the objects count."""

    def take(self, _joined: Joined, _strip: Strip, wanted: Flags, /) -> Polygons:
        """As many times None as objects are wanted."""
        return np.full(np.count_nonzero(wanted), None)


class ExactOutlines:
    """Along the edges of the pixels.

    Only the corners of objects that may go on below are kept.
    """

    def __init__(self) -> None:
        self._open = no_corners()

    def take(self, joined: Joined, _strip: Strip, wanted: Flags, /) -> Polygons:
        """See :class:`Outlines`."""
        corners = self._open.renumbered(joined.old).followed_by(find_corners(joined))
        still = corners.taken(joined.is_open[corners.objects])
        self._open = still.renumbered(joined.renumbered)
        ended = corners.taken(wanted[corners.objects])
        return trace(ended.renumbered(np.cumsum(wanted) - 1)).polygons()
