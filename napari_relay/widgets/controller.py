"""What the panel's buttons do: intents become jobs, results reach the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_info, show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_relay.exporting import export_mask
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image, open_stack
from napari_relay.images.known_pixel_sizes import remember_pixel_size, with_known_pixel_size
from napari_relay.inference import PredictionReport, TileResult
from napari_relay.session import ModelVersion, Session
from napari_relay.training import FinetuneOptions, FinetuneProgress, FinetuneResult
from napari_relay.widgets.image_layer import image_layer_data, in_viewer, pyramid_of
from napari_relay.widgets.jobs import JobRunner, JobStopped, report
from napari_relay.widgets.level_builds import LevelBuild, OpenProgress
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.viewport import ViewportWatcher, show_window, visible_window
from relay_tokens import UserError, load_model

PREDICTING = "Predicting"
FINETUNING = "Fine-tuning"
OPENING = "Opening"
EXPORTING = "Saving the mask"


@dataclass(frozen=True)
class Opened:
    """An image that can be shown."""

    image: PyramidImage
    """The image; some of its levels may not be built yet."""
    then: Callable[[], None] | None
    """Called once it is shown with all its levels."""


@dataclass(frozen=True)
class Saved:
    """A file that has been written."""

    path: Path
    """Where."""


class RelayController(QObject):
    """Holds the sessions of a viewer's images; one of them is the current one."""

    session_changed = Signal()
    """Another image is worked on, or none."""
    images_changed = Signal()
    """Images were opened or closed."""
    model_changed = Signal()
    """Another model or version is in use; told too when another image is worked on."""
    colors_changed = Signal()
    """Classes have other colours."""
    predicted = Signal(object)
    """A :class:`TileResult` arrived."""
    reported = Signal(object)
    """A prediction came to its end; its :class:`PredictionReport`."""
    finetuned = Signal(object)
    """A :class:`FinetuneProgress` arrived."""
    offered = Signal(object)
    """A :class:`FinetuneResult` that is not recommended awaits the person's word."""
    opening = Signal(object)
    """An :class:`~napari_relay.widgets.level_builds.OpenProgress` arrived."""
    _save_failed = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_result)
        self.jobs.ended.connect(self._on_ended)
        self.layers: list[SessionLayers] = []
        self._builds: list[LevelBuild] = []
        self.current: SessionLayers | None = None
        self._view: Window | None = None
        self._viewport = ViewportWatcher(viewer, self)
        self._viewport.moved.connect(self._follow_view)
        self._save_failed.connect(report)
        self._job_layers: SessionLayers | None = None
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_selected)
        for layer in list(viewer.layers):
            self._adopt(layer)

    @property
    def session(self) -> Session | None:
        """Session of the image that is worked on."""
        return self.current.session if self.current else None

    @property
    def building(self) -> bool:
        """Whether levels of an image are being built."""
        return bool(self._builds)

    # --- images

    def open(self, path: Path, then: Callable[[], None] | None = None) -> None:
        """Open a file in the worker and show it; ``then`` runs when it is shown."""
        self.open_stack((path,), then)

    def open_stack(self, paths: tuple[Path, ...], then: Callable[[], None] | None = None) -> None:
        """Open rasters of one place as one image, as :meth:`open` does a file."""
        self.jobs.start(OPENING, lambda: self._open(paths, then))

    def _open(self, paths: tuple[Path, ...], then: Callable[[], None] | None) -> Iterator[Opened]:
        """Open an image; in the worker."""

        def progress(done: int, total: int) -> None:
            if self.jobs.stopping:
                raise JobStopped
            self.opening.emit(OpenProgress(done, total))

        if len(paths) == 1:
            image = with_known_pixel_size(open_image(paths[0], progress=progress, wait=False))
        else:
            image = open_stack(paths, progress=progress)
        yield Opened(image, then)

    def show_image(self, image: PyramidImage, then: Callable[[], None] | None = None) -> None:
        """Add an image to the viewer, and work on it as soon as it has all its levels.

        Parameters
        ----------
        image
            The image.
        then
            Called when it is worked on.
        """
        for sentence in image.notes:
            show_warning(sentence)
        data, arguments, _ = image_layer_data(image)
        layer = Image(data, **in_viewer(arguments, self.viewer.layers))
        self.viewer.add_layer(layer)
        self.viewer.reset_view()
        build = next((b for b in self._builds if b.layer is layer), None)
        if build is not None and then is not None:
            build.ended.connect(lambda complete: then() if complete else None)
        elif then is not None:
            then()

    def set_pixel_size(self, size: float, unit: str) -> None:
        """Say how large a pixel of the current image is, which its file does not; kept.

        Parameters
        ----------
        size
            Side of a level-0 pixel.
        unit
            ``"um"`` or ``"m"``.
        """
        if self.current is None:
            return
        image = replace(self.current.session.image, pixel_size=(size, size), unit=unit)
        try:
            remember_pixel_size(image)
        except UserError as error:
            report(error)
        self.viewer.layers.remove(self.current.base)
        self.show_image(image)

    def work_on(self, layers: SessionLayers | None) -> None:
        """Make one of :attr:`layers` the current one."""
        if layers is not self.current:
            self.current = layers
            self._follow_view()
            self.session_changed.emit()
            self.model_changed.emit()

    def look_at(self, window: Window) -> None:
        """Bring level-0 pixels of the current image into view."""
        if self.current is not None:
            show_window(self.viewer, self.current.base, window)
            self._follow_view()

    # --- the model

    def use_model(self, name_or_folder: str | Path) -> bool:
        """Load a model and work with it; a mistake is shown, and False returned."""
        session = self.session
        if session is None:
            return False
        self._stop_job_of_current()
        try:
            session.use_model(load_model(name_or_folder), self._save_failed.emit)
        except UserError as error:
            report(error)
            return False
        return True

    def use_version(self, version: ModelVersion) -> None:
        """Go to a version of the model in use, and predict the view with it."""
        if self.session is None:
            return
        self._stop_job_of_current()
        try:
            self.session.use_version(version)
        except UserError as error:
            report(error)
            return
        self.predict_view()

    # --- the prediction

    def predict_view(self) -> None:
        """Predict what is on screen."""
        if self.current is not None and self._view is not None:
            seen = self._view.intersection(self.current.session.image.window)
            if not seen.area:
                show_info("The image is not in view: press Home to bring it back.")
                return
            self._predict([seen])

    def predict_all(self) -> None:
        """Predict the whole image, what is on screen first."""
        self._predict(None)

    def cancel(self) -> None:
        """Stop the running job; what is done is kept."""
        self.jobs.cancel()

    def _predict(self, windows: list[Window] | None) -> None:
        layers = self.current
        if layers is None or layers.session.store is None:
            return
        layers.show_prediction()
        session = layers.session
        self._job_layers = layers

        def run() -> Iterator[TileResult | PredictionReport]:
            report = yield from session.predict(windows, lambda: self._view)
            yield report

        self.jobs.start(PREDICTING, run)

    # --- fine-tuning

    def finetune(self, options: FinetuneOptions) -> None:
        """Train on the corrections, then use the new weights or ask about them."""
        layers = self.current
        if layers is None:
            return
        self._job_layers = layers
        self.jobs.start(FINETUNING, lambda: layers.session.finetune(options))

    def accept(self, result: FinetuneResult) -> None:
        """Keep fine-tuned weights, use them, and predict the view again."""
        layers = self._job_layers
        if layers is None:
            return
        try:
            version = layers.session.accept(result.state)
        except UserError as error:
            report(error)
            return
        show_info(f"{version.label} is in use.")
        if layers is self.current:
            self.predict_view()

    def undo_finetune(self) -> None:
        """Go back to the version that the one in use was fine-tuned from."""
        parent = self.session.parent() if self.session else None
        if parent is not None:
            self.use_version(parent)

    # --- saving

    def save_mask(self, path: Path) -> None:
        """Write the predicted class mask to a file, in the worker."""
        session = self.session
        if session is None or session.store is None:
            return
        store, image = session.store, session.image

        def write() -> Iterator[object]:
            yield Saved(export_mask(store, image, path))

        self.jobs.start(EXPORTING, write)

    # --- following the viewer

    def close(self) -> None:
        """Stop everything; the viewer is left as it is."""
        self.jobs.cancel()
        for build in self._builds:
            build.cancel()
        self._viewport.stop()
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.viewer.layers.selection.events.active.disconnect(self._on_selected)
        for layers in self.layers:
            layers.stop_following()
            layers.session.close()
        self.layers.clear()

    def _on_result(self, result: object) -> None:
        if isinstance(result, TileResult):
            if self._job_layers is not None:
                self._job_layers.session.apply_tile(result)
            self.predicted.emit(result)
            for notice in result.notices:
                show_warning(notice)
        elif isinstance(result, PredictionReport):
            self.reported.emit(result)
        elif isinstance(result, FinetuneProgress):
            self.finetuned.emit(result)
            if result.result is not None:
                self._on_finetuned(result.result)
        elif isinstance(result, Saved):
            show_info(f"Saved {result.path}.")
        elif isinstance(result, Opened):
            self.show_image(result.image, result.then)

    def _on_ended(self, name: str) -> None:
        if name == PREDICTING and self._job_layers in self.layers:
            self._job_layers.refresh_thumbnail()

    def _on_finetuned(self, result: FinetuneResult) -> None:
        if result.recommended:
            self.accept(result)
        else:
            self.offered.emit(result)

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
        build.advanced.connect(self.opening)
        build.ended.connect(lambda complete: self._on_built(build, complete))
        self._builds.append(build)
        build.start()

    def _on_built(self, build: LevelBuild, complete: bool) -> None:
        self._builds.remove(build)
        if complete and build.layer in self.viewer.layers:
            self._work_with(build.layer, build.image)
        self.images_changed.emit()

    def _work_with(self, layer: Image, image: PyramidImage) -> None:
        layers = SessionLayers(self.viewer, Session(image), layer)
        layers.session.events.model_changed.connect(self.model_changed.emit)
        layers.session.events.colors_changed.connect(self.colors_changed.emit)
        self.layers.append(layers)
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.images_changed.emit()
        self.work_on(layers)

    def _on_removed(self, event: Any) -> None:
        for build in self._builds:
            if build.layer is event.value:
                build.cancel()
        for layers in [x for x in self.layers if x.base is event.value]:
            if self._job_layers is layers:
                self.jobs.cancel()
            self.layers.remove(layers)
            layers.close()
            layers.session.close()
            if layers is self.current:
                self.work_on(self.layers[-1] if self.layers else None)
            self.images_changed.emit()

    def _on_selected(self) -> None:
        active = self.viewer.layers.selection.active
        mine = next((x for x in self.layers if active is not None and x.owns(active)), None)
        if mine is not None:
            self.work_on(mine)

    def _follow_view(self) -> None:
        """Note what is on screen; a running prediction takes those tiles next."""
        if self.current is not None:
            self._view = visible_window(self.viewer, self.current.base)
            self.current.follow_view(self._view)

    def _stop_job_of_current(self) -> None:
        if self._job_layers is self.current:
            self.jobs.cancel()
