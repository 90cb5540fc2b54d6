"""Images that are shown while their missing levels are being built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.images import PyramidImage
from napari_relay.widgets.image_layer import image_layer_data
from napari_relay.widgets.jobs import JobRunner

_REFRESH_MS = 700
"""How often a layer is drawn anew while its levels grow."""


@dataclass(frozen=True)
class OpenProgress:
    """How far the missing levels of an image are built."""

    done: int
    """Blocks done."""
    total: int
    """All blocks."""


class LevelBuild(QObject):
    """Builds the levels of one image in a worker, and lets its layer show them.

    Parameters
    ----------
    layer
        The layer that shows the image.
    image
        One with a ``build`` that is not complete.
    """

    advanced = Signal(object)
    """An :class:`OpenProgress`."""
    ended = Signal(bool)
    """No more is built; whether all is there."""

    def __init__(self, layer: Image, image: PyramidImage, parent: QObject) -> None:
        super().__init__(parent)
        self.layer = layer
        self.image = image
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_advanced)
        self._jobs.ended.connect(self._on_ended)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._show_what_is_built)

    def start(self) -> None:
        """Build what is missing."""
        self._jobs.start("Building levels", self._build)

    def cancel(self) -> None:
        """Stop after the block that is being built; what is built is kept."""
        self._timer.stop()
        self._jobs.cancel()

    def _build(self) -> Iterator[OpenProgress]:
        build = self.image.build
        if build is not None:
            for _ in build.run(spare_cores=1):
                yield OpenProgress(build.done, build.total)

    def _on_advanced(self, progress: OpenProgress) -> None:
        self.advanced.emit(progress)
        if not self._timer.isActive():
            self._timer.start()

    def _on_ended(self, _name: str, complete: bool) -> None:
        self._timer.stop()
        if complete:
            self._show_what_is_built()
        self.ended.emit(complete)

    def _show_what_is_built(self) -> None:
        """Draw the layer anew, stretched between what is known of its values by now."""
        data, arguments, _ = image_layer_data(self.image)
        # napari keeps the coarsest level: only as new data is it read again.
        self.layer.data = data
        if "contrast_limits" in arguments:
            self.layer.contrast_limits = arguments["contrast_limits"]
