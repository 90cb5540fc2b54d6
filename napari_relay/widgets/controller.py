"""What the panel's buttons do: intents become jobs, results reach the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari.utils.notifications import show_info, show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import Area, PredictionReport, TileResult
from napari_relay.session import ModelVersion, Session
from napari_relay.widgets.exporter import Exporter
from napari_relay.widgets.finetuner import FINETUNING, Accepted, Finetuner
from napari_relay.widgets.image_opener import OPENING, ImageOpener
from napari_relay.widgets.jobs import JobRunner, report
from napari_relay.widgets.level_builds import LevelBuild
from napari_relay.widgets.open_images import OpenImages
from napari_relay.widgets.predicted_areas import predicted_areas
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.viewport import show_window
from relay_tokens import Checkpoint, UserError, load_model

__all__ = ["FINETUNING", "OPENING", "PREDICTING", "RelayController"]

PREDICTING = "Predicting"


@dataclass(frozen=True)
class Asked:
    """A prediction that somebody asked for."""

    layers: SessionLayers
    """Of which image."""
    areas: list[Area] | None
    """Where; None: everywhere."""


class RelayController(QObject):
    """What the parts of the panel talk to: the open images, the one current, its jobs."""

    session_changed = Signal()
    """Another image is worked on, or none."""
    images_changed = Signal()
    """Images were opened or closed."""
    model_changed = Signal()
    """Another model or version is in use; told too when another image is worked on."""
    colors_changed = Signal()
    """Classes have other colours."""
    model_used = Signal(object, str)
    """A model was loaded for a :class:`SessionLayers`; its name in the zoo, or its folder."""
    predicted = Signal(object)
    """A :class:`TileResult` arrived."""
    reported = Signal(object)
    """A prediction came to its end; its :class:`PredictionReport`."""
    opening = Signal(object)
    """An :class:`~napari_relay.widgets.level_builds.OpenProgress` arrived."""
    closing = Signal()
    """Everything is about to be stopped; the sessions are still open."""
    saving_changed = Signal(str)
    """Why corrections cannot be saved; empty when they can be again."""
    _save_failed = Signal(object)
    _saved_again = Signal()

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_result)
        self.jobs.ended.connect(self._on_ended)
        self.exporter = Exporter(self)
        self.images = OpenImages(viewer, self)
        self.finetuner = Finetuner(self.images, self)
        self.finetuner.accepted.connect(self._on_accepted)
        self.opener = ImageOpener(viewer, self.images, self)
        self._job_layers: SessionLayers | None = None
        self._stopped: Asked | None = None
        self._save_failed.connect(self._on_save_failed)
        self._saved_again.connect(self._on_saved_again)
        self._follow_images()

    def _follow_images(self) -> None:
        self.opener.advanced.connect(self.opening)
        self.images.changed.connect(self.images_changed)
        self.images.model_changed.connect(self.model_changed)
        self.images.colors_changed.connect(self.colors_changed)
        self.images.current_changed.connect(self.session_changed)
        self.images.current_changed.connect(self.model_changed)
        self.images.build_started.connect(self._on_build)
        self.images.closing.connect(self._on_closing)
        self.images.follow()

    @property
    def layers(self) -> list[SessionLayers]:
        """Of each open image, in the order of opening."""
        return self.images.layers

    @property
    def current(self) -> SessionLayers | None:
        """Of the image that is worked on."""
        return self.images.current

    @property
    def session(self) -> Session | None:
        """Session of the image that is worked on."""
        return self.current.session if self.current else None

    @property
    def view(self) -> Window | None:
        """Level-0 pixels of the current image that are on screen; may reach outside it."""
        return self.images.view if self.current else None

    @property
    def building(self) -> bool:
        """Whether levels of an image are being built."""
        return bool(self.images.builds)

    # --- images

    def open(self, path: Path, then: Callable[[], None] | None = None) -> None:
        """Open a file in the background and show it; ``then`` runs when it is shown."""
        self.open_stack((path,), then)

    def open_stack(self, paths: tuple[Path, ...], then: Callable[[], None] | None = None) -> None:
        """Open rasters of one place as one image, as :meth:`open` does a file."""
        self.opener.open_stack(paths, then)

    def show_image(self, image: PyramidImage, then: Callable[[], None] | None = None) -> None:
        """Add an image to the viewer, and work on it as soon as it has all its levels.

        Parameters
        ----------
        image
            The image.
        then
            Called when it is worked on.
        """
        self.opener.show_image(image, then)

    def set_pixel_size(self, size: float, unit: str) -> None:
        """Say how large a pixel of the current image is, which its file does not; kept.

        Parameters
        ----------
        size
            Side of a level-0 pixel.
        unit
            ``"um"`` or ``"m"``.
        """
        if self.current is not None:
            self.opener.set_pixel_size(self.current.base, self.current.session.image, size, unit)

    def work_on(self, layers: SessionLayers | None) -> None:
        """Make one of :attr:`layers` the current one."""
        self.images.work_on(layers)

    def look_at(self, window: Window) -> None:
        """Bring level-0 pixels of the current image into view."""
        if self.current is not None:
            show_window(self.viewer, self.current.base, window)
            self.images.follow_view()

    # --- the model

    def use_model(self, name_or_folder: str | Path) -> bool:
        """Load a model and work with it; a mistake is shown, and False returned."""
        layers = self.current
        if layers is None:
            return False
        try:
            checkpoint = load_model(name_or_folder)
        except UserError as error:
            report(error)
            return False
        return self.use_loaded(layers, checkpoint, name_or_folder)

    def use_loaded(
        self, layers: SessionLayers, checkpoint: Checkpoint, name_or_folder: str | Path
    ) -> bool:
        """Work with a model that was loaded; a mistake is shown, and False returned."""
        if self._job_layers is layers:
            self.jobs.cancel()
        self.finetuner.forget(layers)
        try:
            layers.session.use_model(checkpoint, self._save_failed.emit, self._saved_again.emit)
        except UserError as error:
            report(error)
            return False
        self.model_used.emit(layers, str(name_or_folder))
        return True

    def use_version(self, version: ModelVersion, *, predict: bool = True) -> bool:
        """Go to a version of the model in use, and predict the view with it.

        A mistake is shown, and False returned.
        """
        if self.session is None:
            return False
        self._stop_job_of_current()
        try:
            self.session.use_version(version)
        except UserError as error:
            report(error)
            return False
        if predict:
            self._predict_view()
        return True

    # --- the prediction

    def predict_view(self) -> None:
        """Predict what is on screen."""
        self._predict_view()

    def predict_all(self) -> None:
        """Predict the whole image, what is on screen first."""
        self._predict(None)

    def predict_areas(self) -> None:
        """Predict inside the areas that were drawn over the current image."""
        layers = self.current
        if layers is None:
            return
        layers.areas.stop_drawing()
        areas: list[Area] = [*layers.areas.areas]
        if not areas:
            show_info("No area is drawn yet: press Draw area, click its corners, end with Enter.")
            return
        self._predict(areas)

    @property
    def can_resume(self) -> bool:
        """Whether the current image's last prediction was stopped before its end."""
        return self._stopped is not None and self._stopped.layers is self.current

    def resume(self) -> None:
        """Go on with the prediction that was stopped."""
        if self._stopped is not None and self.can_resume:
            self._predict(self._stopped.areas)

    def cancel(self) -> None:
        """Stop the running job; what is done is kept."""
        self.jobs.cancel()

    def _predict_view(self) -> None:
        view = self.view
        if self.current is not None and view is not None:
            seen = view.intersection(self.current.session.image.window)
            if not seen.area:
                show_info("The image is not in view: press Home to bring it back.")
                return
            self._predict([seen])

    def _predict(self, areas: list[Area] | None) -> None:
        layers = self.current
        if layers is None or layers.session.store is None:
            return
        layers.show_prediction()
        session = layers.session
        self._job_layers = layers
        self._stopped = Asked(layers, areas)

        def run() -> Iterator[TileResult | PredictionReport]:
            report = yield from session.predict(areas, lambda: self.images.view_of(layers))
            yield report

        self.jobs.start(PREDICTING, run)

    # --- going back

    def undo_finetune(self) -> None:
        """Go back to the version that the one in use was fine-tuned from."""
        parent = self.session.parent() if self.session else None
        if parent is not None:
            self.use_version(parent)

    # --- what follows from it

    def close(self) -> None:
        """Stop everything; the viewer is left as it is."""
        self.closing.emit()
        self.jobs.cancel()
        self.exporter.cancel()
        self.finetuner.cancel()
        self.opener.cancel()
        self.images.close()

    def _on_save_failed(self, error: UserError) -> None:
        report(error)
        self.saving_changed.emit(str(error))

    def _on_saved_again(self) -> None:
        show_info("The corrections are saved again.")
        self.saving_changed.emit("")

    def _on_result(self, result: object) -> None:
        if isinstance(result, TileResult):
            if self._job_layers is not None:
                self._job_layers.session.apply_tile(result)
            self.predicted.emit(result)
            for notice in result.notices:
                show_warning(notice)
        elif isinstance(result, PredictionReport):
            self.reported.emit(result)

    def _on_ended(self, name: str, complete: bool) -> None:
        if name == PREDICTING and complete:
            self._stopped = None
        if name == PREDICTING and self._job_layers in self.layers:
            self._job_layers.refresh_thumbnail()

    def _on_accepted(self, accepted: Accepted) -> None:
        """Predict the view with the new weights, then what was predicted with the old ones."""
        view, seen = self.view, list[Area]()
        if accepted.layers is not self.current:
            return
        if view is not None:
            seen = [view.intersection(accepted.layers.session.image.window)]
        areas = [*seen, *predicted_areas(accepted.before)]
        self._predict([area for area in areas if not isinstance(area, Window) or area.area])

    def _on_build(self, build: LevelBuild) -> None:
        build.advanced.connect(self.opening)

    def _on_closing(self, layers: SessionLayers) -> None:
        self.finetuner.forget(layers)
        if self._job_layers is layers:
            self.jobs.cancel()

    def _stop_job_of_current(self) -> None:
        if self._job_layers is self.current:
            self.jobs.cancel()
