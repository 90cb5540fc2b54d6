"""The images of a viewer that are worked on, one of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.session import Session
from napari_relay.widgets.image_layer import pyramid_of
from napari_relay.widgets.level_builds import LevelBuild
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.viewport import ViewportWatcher, visible_window


class OpenImages(QObject):
    """Follows the layers and the camera of a viewer; holds a session for each image.

    An image whose levels are not all there is built first, and worked on then.
    :attr:`make_session` makes the session of an image; None refuses the image.
    """

    changed = Signal()
    """Images were opened or closed."""
    current_changed = Signal()
    """Another image is worked on, or none."""
    model_changed = Signal()
    """Another model or version is in use on one of the images."""
    colors_changed = Signal()
    """Classes of one of the images have other colours."""
    build_started = Signal(object)
    """Levels of an image are being built; its :class:`LevelBuild`."""
    closing = Signal(object)
    """The :class:`SessionLayers` of an image whose layer is gone; its session is still open."""
    moved = Signal()
    """Something else of the current image is on screen."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layers: list[SessionLayers] = []
        self.builds: list[LevelBuild] = []
        self.current: SessionLayers | None = None
        self.view: Window | None = None
        self.make_session: Callable[[PyramidImage], Session | None] = Session
        self._viewer = viewer
        self._viewport = ViewportWatcher(viewer, self)
        self._viewport.moved.connect(self.follow_view)

    def follow(self) -> None:
        """Take up what the viewer holds, and follow it from here on."""
        layers = self._viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.connect(self._on_removed)
        layers.selection.events.active.connect(self._on_selected)
        for layer in list(layers):
            self._adopt(layer)

    def close(self) -> None:
        """Save and stop everything; the viewer is left as it is."""
        for build in self.builds:
            build.cancel()
        self._viewport.stop()
        events = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_selected)
        for layers in self.layers:
            layers.stop_following()
            layers.session.close()
        self.layers.clear()

    def work_on(self, layers: SessionLayers | None) -> None:
        """Make one of :attr:`layers` the current one."""
        if layers is not self.current:
            self.current = layers
            self.follow_view()
            self.current_changed.emit()

    def view_of(self, layers: SessionLayers) -> Window | None:
        """Level-0 pixels of an image that are on screen; None unless it is worked on."""
        return self.view if layers is self.current else None

    def follow_view(self) -> None:
        """Note what is on screen; a running prediction takes those tiles next."""
        if self.current is not None:
            self.view = visible_window(self._viewer, self.current.base)
            self.current.follow_view(self.view)
            self.moved.emit()

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Layer) -> None:
        image = pyramid_of(layer)
        if image is None or not isinstance(layer, Image):
            return
        if image.build is not None and not image.build.is_complete:
            self._build_levels(layer, image)
        else:
            self._work_with(layer, image)

    def _build_levels(self, layer: Image, image: PyramidImage) -> None:
        """Build what is missing; until then the image can only be looked at."""
        build = LevelBuild(layer, image, self)
        build.ended.connect(lambda complete: self._on_built(build, complete))
        self.builds.append(build)
        self.build_started.emit(build)
        self.changed.emit()
        build.start()

    def _on_built(self, build: LevelBuild, complete: bool) -> None:
        self.builds.remove(build)
        if complete and build.layer in self._viewer.layers:
            self._work_with(build.layer, build.image)
        self.changed.emit()

    def _work_with(self, layer: Image, image: PyramidImage) -> None:
        session = self.make_session(image)
        if session is None:  # not the image that it should be; napari is still inserting it
            QTimer.singleShot(0, lambda: self._take_out(layer))
            return
        layers = SessionLayers(self._viewer, session, layer)
        layers.session.events.model_changed.connect(self.model_changed.emit)
        layers.session.events.colors_changed.connect(self.colors_changed.emit)
        self.layers.append(layers)
        self._viewer.canvas.overlays.scale_bar.visible = True
        self.changed.emit()
        self.work_on(layers)

    def _take_out(self, layer: Layer) -> None:
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def close_all(self) -> None:
        """Close every image, and take its layers out of the viewer."""
        for layer in [*(x.base for x in self.layers), *(b.layer for b in self.builds)]:
            self._take_out(layer)

    def _on_removed(self, event: Any) -> None:
        for build in self.builds:
            if build.layer is event.value:
                build.cancel()
        for layers in [x for x in self.layers if x.base is event.value]:
            self.closing.emit(layers)
            self.layers.remove(layers)
            layers.close()
            layers.session.close()
            if layers is self.current:
                self.work_on(self.layers[-1] if self.layers else None)
            self.changed.emit()

    def _on_selected(self) -> None:
        active = self._viewer.layers.selection.active
        mine = next((x for x in self.layers if active is not None and x.owns(active)), None)
        if mine is not None:
            self.work_on(mine)
