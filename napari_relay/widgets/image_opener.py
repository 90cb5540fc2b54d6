"""Opening image files in the background, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from napari.layers import Image
from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_relay.images import PyramidImage, open_image, open_stack
from napari_relay.images.known_pixel_sizes import remember_pixel_size, with_known_pixel_size
from napari_relay.widgets.image_layer import LayerData, image_layer_data, in_viewer
from napari_relay.widgets.jobs import JobRunner, JobStopped, report
from napari_relay.widgets.level_builds import OpenProgress
from napari_relay.widgets.open_images import OpenImages
from relay_tokens import UserError

OPENING = "Opening"


@dataclass(frozen=True)
class Opened:
    """An image that can be shown."""

    image: PyramidImage
    """The image; some of its levels may not be built yet."""
    layer: LayerData
    """What its layer holds."""
    request: OpenRequest
    """What was asked for."""


@dataclass(frozen=True)
class OpenRequest:
    """What is to be opened as one image."""

    paths: tuple[Path, ...]
    """One file or folder, or several rasters of one place."""
    then: Callable[[], None] | None
    """Called once it is shown with all its levels."""
    pixel_size: float | None = None
    """Side of a pixel, where a single file does not say it."""
    unit: str = "um"
    """Unit of :attr:`pixel_size`."""


class ImageOpener(QObject):
    """Opens files in a worker of its own, so that a running prediction goes on.

    Parameters
    ----------
    viewer
        Where images are shown.
    images
        What becomes of them there.
    """

    advanced = Signal(object)
    """An :class:`OpenProgress` of the file that is being opened."""

    def __init__(self, viewer: Viewer, images: OpenImages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._images = images
        self._waiting: deque[OpenRequest] = deque()
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_opened)
        self.jobs.ended.connect(self._open_next)

    @property
    def opening(self) -> bool:
        """Whether a file is being opened, or waits for it."""
        return self.jobs.running or bool(self._waiting)

    def open_stack(self, paths: tuple[Path, ...], then: Callable[[], None] | None = None) -> None:
        """Open a file, or rasters of one place as one image, after those that are waiting."""
        self.open_request(OpenRequest(paths, then))

    def open_request(self, request: OpenRequest) -> None:
        """Open what is asked for, after those that are waiting."""
        self._waiting.append(request)
        if not self.jobs.running:
            self._open_next()

    def cancel(self) -> None:
        """Open nothing more."""
        self._waiting.clear()
        self.jobs.cancel()

    def show_image(self, image: PyramidImage, then: Callable[[], None] | None = None) -> None:
        """Add an image to the viewer; ``then`` is called when it has all its levels."""
        self._show(image, image_layer_data(image), then)

    def set_pixel_size(self, base: Image, image: PyramidImage, size: float, unit: str) -> None:
        """Show an image anew with the pixel size that its file does not tell; kept.

        Parameters
        ----------
        base
            The layer that shows it.
        image
            The image.
        size
            Side of a level-0 pixel.
        unit
            ``"um"`` or ``"m"``.
        """
        image = replace(image, pixel_size=(size, size), unit=unit)
        try:
            remember_pixel_size(image)
        except UserError as error:
            report(error)
        self._viewer.layers.remove(base)
        self.show_image(image)

    def _open_next(self) -> None:
        if self._waiting:
            request = self._waiting.popleft()
            self.jobs.start(OPENING, lambda: self._open(request))

    def _open(self, request: OpenRequest) -> Iterator[Opened]:
        """Open an image; in the worker."""

        def progress(done: int, total: int) -> None:
            if self.jobs.stopping:
                raise JobStopped
            self.advanced.emit(OpenProgress(done, total))

        paths = request.paths
        if len(paths) == 1:
            size, unit = request.pixel_size, request.unit
            image = with_known_pixel_size(
                open_image(paths[0], progress=progress, pixel_size=size, unit=unit, wait=False)
            )
        else:
            image = open_stack(paths, progress=progress)
        yield Opened(image, image_layer_data(image), request)

    def _on_opened(self, opened: Opened) -> None:
        self._show(opened.image, opened.layer, opened.request.then)

    def _show(
        self, image: PyramidImage, described: LayerData, then: Callable[[], None] | None
    ) -> None:
        for sentence in image.notes:
            show_warning(sentence)
        data, arguments, _ = described
        layer = Image(data, **in_viewer(arguments, self._viewer.layers))
        self._viewer.add_layer(layer)
        self._viewer.reset_view()
        self._call_when_built(layer, then)

    def _call_when_built(self, layer: Image, then: Callable[[], None] | None) -> None:
        if then is None:
            return
        build = next((b for b in self._images.builds if b.layer is layer), None)
        if build is None:
            then()
        else:
            build.ended.connect(lambda complete: then() if complete else None)
