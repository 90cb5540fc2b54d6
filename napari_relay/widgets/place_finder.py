"""Where to look next: ranked in a worker, kept in step with predictions and corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_relay.annotation import (
    CorrectionStore,
    PlaceQueue,
    RankedPlace,
    RankingOptions,
    rank_places,
)
from napari_relay.annotation.place_queue import QueuedPlace
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.session import Session
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.timers import single_shot

RANKING = "Looking for places"
COUNT = 100
"""Places that are ranked at a time."""
_FOLLOW_MS = 1500
"""How long after a tile or a stroke the places are ranked anew."""
_LINES = (("#202020", 5.0), ("#ffffff", 2.5))
"""Colour and width on screen of the rectangle's lines: the dark rim is seen on bright tissue."""


class PlaceFinder(QObject):
    """The queue of one image, and the rectangle around the place that is looked at.

    Nothing is ranked before somebody asks for a place.

    Parameters
    ----------
    viewer
        Whose zoom decides how thick a line is.
    session
        Whose prediction and corrections are looked at.
    base
        Layer of the image.
    insert
        Puts a new layer into the viewer.
    """

    changed = Signal()
    """Another place, verdict or number of places."""
    arrived = Signal(object)
    """The :class:`RankedPlace` to be looked at now."""
    _painted = Signal()

    def __init__(
        self, viewer: Viewer, session: Session, base: Image, insert: Callable[[Layer], None]
    ) -> None:
        super().__init__()
        self.queue = PlaceQueue()
        self.layer: Shapes | None = None
        self._viewer, self._session, self._base, self._insert = viewer, session, base, insert
        self._is_wanted = self._is_awaited = False
        self._store: PredictionStore | None = None
        self._corrections: CorrectionStore | None = None
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_ranked)
        self._timer = single_shot(self, _FOLLOW_MS, self._rank)
        self._painted.connect(self._on_change)
        session.events.tile_predicted.connect(self._on_change)
        session.events.model_changed.connect(self.follow_session)
        self.follow_session()

    @property
    def ranking(self) -> bool:
        """Whether somebody waits for a place."""
        return self._is_awaited

    def next(self) -> None:
        """Go to the next place, ranking them first if that was not done yet."""
        self._is_wanted = True
        if not self._go(self.queue.next()) and not self._is_awaited:
            self._is_awaited = True
            self._rank()
            self.changed.emit()

    def previous(self) -> None:
        """Go back to the place before."""
        self._go(self.queue.previous())

    def skip(self) -> None:
        """Leave this place out, and go on."""
        if self.queue.current is not None and not self._go(self.queue.skip()):
            self._end()

    def agree(self) -> Window | None:
        """Go on, and return the place with which the person agrees."""
        current = self.queue.current
        if current is None:
            return None
        if not self._go(self.queue.agree()):
            self._end()
        return current.place.window

    def close(self) -> None:
        """Follow nothing more; the layer stays."""
        self._timer.stop()
        self._jobs.cancel()
        self._session.events.tile_predicted.disconnect(self._on_change)
        self._session.events.model_changed.disconnect(self.follow_session)
        self._watch(None)

    def forget_layer(self, layer: Layer) -> None:
        """Take note that a layer has been deleted."""
        if layer is self.layer:
            self.layer = None

    def follow_session(self) -> None:
        """Take note of another model: what it is unsure of is elsewhere."""
        if self._session.corrections is not self._corrections:
            self.queue.reset()
            self._end()
        self._watch(self._session.corrections)
        self._store = self._session.store
        self._on_change()

    def follow_zoom(self) -> None:
        """Keep the outline as thick as it is on screen."""
        if self.layer is not None and self.layer.nshapes == len(_LINES):
            self.layer.edge_width = self._widths()

    def _watch(self, corrections: CorrectionStore | None) -> None:
        if self._corrections is not None:
            self._corrections.pyramid.changed.disconnect(self._on_painted)
        self._corrections = corrections
        if corrections is not None:
            corrections.pyramid.changed.connect(self._on_painted)

    def _on_painted(self) -> None:
        if self._is_wanted:
            self._painted.emit()  # in whatever thread painted

    def _on_change(self, _result: object = None) -> None:
        if self._is_wanted:
            self._timer.start()

    def _rank(self) -> None:
        store, corrections = self._store, self._corrections
        if store is None or corrections is None:
            self._is_awaited = False
            return
        seen = self.queue.seen

        def run() -> Iterator[list[RankedPlace]]:
            yield rank_places(store, corrections, COUNT, RankingOptions(), seen)

        self._jobs.start(RANKING, run)

    def _on_ranked(self, places: list[RankedPlace]) -> None:
        self.queue.rank(places)
        if self._is_awaited:
            self._is_awaited = False
            self._go(self.queue.next())
        self.changed.emit()

    def _go(self, queued: QueuedPlace | None) -> bool:
        if queued is None:
            return False
        self.arrived.emit(queued.place)
        self._outline(queued.place.window)
        self.changed.emit()
        return True

    def _end(self) -> None:
        """There is no place to look at."""
        if self.layer is not None:
            self.layer.data = []
        self.changed.emit()

    def _outline(self, window: Window) -> None:
        if self.layer is None:
            placed: dict[str, Any] = placement_of(self._base)
            self.layer = Shapes(name="Look next", ndim=2, face_color="transparent", **placed)
            self._insert(self.layer)
        corners = np.array([(window.y0, window.x0), (window.y1, window.x1)]) - 0.5
        self.layer.data = []
        self.layer.add_rectangles(
            [corners] * len(_LINES),
            edge_color=[color for color, _ in _LINES],
            face_color="transparent",
            edge_width=self._widths(),
        )
        self.layer.selected_data = set()

    def _widths(self) -> list[float]:
        """Of the lines, in level-0 pixels."""
        pixel = float(np.mean(placement_of(self._base)["scale"]) * self._viewer.scene.camera.zoom)
        return [width / pixel for _, width in _LINES]
