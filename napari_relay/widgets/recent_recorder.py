"""Keeps note of what a person works on, for the next start."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, QTimer

from napari_relay.geometry import Window
from napari_relay.images.recent_images import RecentImage, remember_image
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.session_layers import SessionLayers
from relay_tokens import UserError

_PAUSE_MS = 2000
"""How long a person looks at a place before it is noted."""


class RecentRecorder(QObject):
    """Writes down the current image, its model, and the place that is looked at.

    Nothing is written for looking around alone until a moment has passed.
    """

    def __init__(self, controller: RelayController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._models: WeakKeyDictionary[SessionLayers, str] = WeakKeyDictionary()
        self._can_write = True
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._record_current)
        controller.model_used.connect(self._on_model)
        controller.model_changed.connect(self._record_current)
        controller.images.moved.connect(self._timer.start)
        controller.images.closing.connect(self._record)

    def close(self) -> None:
        """Write down where the person was, and nothing more."""
        self._timer.stop()
        self._record_current()
        self._can_write = False

    def _on_model(self, layers: SessionLayers, model: str) -> None:
        self._models[layers] = model
        self._record(layers)

    def _record_current(self) -> None:
        if self._controller.current is not None:
            self._record(self._controller.current)

    def _record(self, layers: SessionLayers) -> None:
        image, version = layers.session.image, layers.session.version
        view = self._controller.images.view_of(layers)
        self._write(
            RecentImage(
                image.sources,
                self._models.get(layers),
                version.number if version is not None else 0,
                _inside(view, image.window),
            )
        )

    def _write(self, image: RecentImage) -> None:
        """Write it down; a mistake is told once."""
        if not self._can_write:
            return
        try:
            remember_image(image)
        except UserError as error:
            self._can_write = False
            report(error)


def _inside(view: Window | None, image: Window) -> Window | None:
    """What of a view shows the image; None: nothing."""
    seen = view.intersection(image) if view is not None else None
    return seen if seen is not None and seen.area else None


def resume(controller: RelayController, recent: RecentImage) -> None:
    """Open an image in the background, with its model and version, where it was looked at."""

    def opened() -> None:
        if recent.view is not None:
            controller.look_at(recent.view)
        if recent.model is not None and controller.use_model(recent.model):
            _use_version(controller, recent.version)

    controller.open_stack(recent.paths, opened)


def _use_version(controller: RelayController, number: int) -> None:
    """Go to a kept version; one that is not there any more is left out."""
    kept = controller.session.versions() if controller.session is not None else []
    for version in kept:
        if version.number == number > 0:
            controller.use_version(version, predict=False)
