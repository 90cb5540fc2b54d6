"""Opening a session: its images one after the other, each shown as it was left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.annotation.own_colors import recolored
from napari_relay.inference.fingerprints import model_fingerprint
from napari_relay.sessions import Camera, ClassLook, ModelReference, Project
from napari_relay.sessions.corrected_images import missing_sentence
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.image_opener import OpenRequest
from napari_relay.widgets.jobs import JobRunner, report
from napari_relay.widgets.session_keeper import KeptImage, SessionKeeper
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.session_view import ViewKeeper
from relay_tokens import Checkpoint, ClassSchema, UserError, load_model

_LOADING = "Loading a model"


@dataclass(frozen=True)
class MissingFile:
    """A file of an image, or a model, that is not where it was."""

    kept: KeptImage
    """The image that it belongs to."""
    file: int | None
    """Which of the image's files; None: its model."""
    title: str
    """What a person calls it."""
    reason: str
    """Why it is missing, and what to do, in a sentence."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder that is looked for."""
        files = self.kept.entry.image.files
        if self.file is None or not files:
            return self.file is None
        return files[self.file].name.endswith(".zarr")


@dataclass(frozen=True)
class _Loaded:
    """A model that was looked for."""

    kept: KeptImage
    """For which image."""
    name: str | Path
    """In the zoo, or its folder."""
    checkpoint: Checkpoint | None
    """The model; None: it is not there."""
    reason: str = ""
    """Why it is not there."""


class SessionOpener(QObject):
    """Opens sessions in a window, in place of what was open in it.

    Parameters
    ----------
    controller
        Opens the images.
    keeper
        Holds the session then.
    view
        Shows them as they were left.
    """

    missing_changed = Signal()
    """Something was not found, or has been found since."""

    def __init__(
        self, controller: RelayController, keeper: SessionKeeper, view: ViewKeeper
    ) -> None:
        super().__init__(controller)
        self.missing: list[MissingFile] = []
        self._controller = controller
        self._keeper = keeper
        self._view = view
        self._camera: Camera | None = None
        self._current: KeptImage | None = None
        self._to_load: deque[KeptImage] = deque()
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_loaded)
        self.jobs.ended.connect(self._load_next)
        keeper.refused.connect(self._on_refused)
        controller.opener.jobs.ended.connect(self._give_up)
        controller.images_changed.connect(self._give_up)
        controller.closing.connect(self.jobs.cancel)

    def open(self, folder: Path) -> bool:
        """Open a session; a mistake is shown, and False returned."""
        if self._controller.finetuner.jobs.running:
            show_info("Fine-tuning is running; wait for its end or stop it, then open the session.")
            return False
        self._keeper.look()
        self._keeper.end()
        try:
            project = Project.open(folder)
        except UserError as error:
            report(error)
            return False
        self._close_what_is_open()
        manifest = project.manifest
        self._keeper.begin(project)
        self._camera = manifest.camera
        images = self._keeper.images
        self._current = images[manifest.current] if manifest.current < len(images) else None
        self._set_missing([])
        for kept in images:
            self._open_image(project, kept)
        return True

    def _close_what_is_open(self) -> None:
        self._to_load.clear()
        self.jobs.cancel()
        self._controller.jobs.cancel()
        self._controller.opener.cancel()
        self._controller.images.close_all()

    # --- images

    def _open_image(self, project: Project, kept: KeptImage) -> None:
        paths = project.image_files(kept.entry)
        if paths is None:
            self._add_missing(project, kept)
            return
        self._keeper.expect(paths, kept)
        size, unit = kept.entry.image.pixel_size, kept.entry.image.unit
        self._controller.opener.open_request(
            OpenRequest(
                paths,
                lambda: self._on_shown(kept),
                size[0] if size is not None and len(paths) == 1 else None,
                unit or "um",
            )
        )

    def _on_shown(self, kept: KeptImage) -> None:
        layers = kept.layers
        if layers is None or kept not in self._keeper.images:  # refused, or gone meanwhile
            return
        entry = kept.entry
        layers.session.options = replace(
            layers.session.options,
            attention_heads="all" if entry.every_head else layers.session.options.attention_heads,
            skip_glass=layers.session.options.skip_glass
            if entry.skip_glass is None
            else entry.skip_glass,
        )
        try:
            self._view.show_image(layers, entry.view)
        except UserError as error:
            report(error)
        self._look_where_it_was()
        if entry.model is None:
            self._finish(kept)
        else:
            self._to_load.append(kept)
            self._load_next()

    def _look_where_it_was(self) -> None:
        if self._camera is not None:
            camera = self._controller.viewer.scene.camera
            camera.center, camera.zoom = self._camera.center, self._camera.zoom
        if self._current is not None and self._current.layers is not None:
            self._controller.work_on(self._current.layers)
        self._controller.images.follow_view()

    def _finish(self, kept: KeptImage) -> None:
        self._look_where_it_was()
        self._keeper.shown(kept)
        if not self._keeper.restoring:
            self._camera = None

    def _give_up(self) -> None:
        """Wait no more for an image that could not be opened; it stays in the session."""
        if not self._controller.opener.opening and not self._controller.images.builds:
            for kept in self._keeper.images:
                if kept.layers is None:
                    self._keeper.shown(kept)

    # --- models

    def _load_next(self) -> None:
        if self._to_load and not self.jobs.running:
            kept, project = self._to_load.popleft(), self._keeper.project
            model = kept.entry.model
            if project is not None and model is not None:
                self.jobs.start(_LOADING, lambda: _load(project, kept, model))

    def _on_loaded(self, loaded: _Loaded) -> None:
        kept, layers = loaded.kept, loaded.kept.layers
        if layers is None or layers not in self._controller.layers:
            return
        if loaded.checkpoint is None:
            title = f"Model {kept.entry.model.name}" if kept.entry.model is not None else ""
            self._set_missing([*self.missing, MissingFile(kept, None, title, loaded.reason)])
        elif self._controller.use_loaded(layers, loaded.checkpoint, loaded.name):
            self._show_results(kept, layers)
        self._finish(kept)

    def _show_results(self, kept: KeptImage, layers: SessionLayers) -> None:
        session, model = layers.session, kept.entry.model
        version = model.version if model is not None else 0
        for one in session.versions():
            if one.number == version > 0:
                try:
                    session.use_version(one)
                except UserError as error:
                    report(error)
        if session.classes is not None:
            colors = _in_colors(session.classes, kept.entry.classes)
            if colors != session.classes:
                session.show_classes(colors)
        is_current = layers is self._controller.current
        self._view.show_results(layers, kept.entry.view, is_current=is_current)

    # --- what is not found

    def choose(self, missing: MissingFile, path: Path) -> str:
        """Take a file, or a model's folder, for one that was not found.

        Returns
        -------
        str
            Why it cannot be it; empty when it is taken.
        """
        project, kept = self._keeper.project, missing.kept
        if project is None:
            return "The session is closed."
        if missing.file is None:
            return self._choose_model(project, missing, path)
        reference = kept.entry.image.files
        if reference and not reference[missing.file].fits(path):
            return f"{path.name} is another file: it has not the size of the one of the session."
        self._take_file(project, missing, path)
        for other in [m for m in self.missing if m.file is not None]:
            beside = path.with_name(other.kept.entry.image.files[other.file or 0].name)
            if other.kept.entry.image.files[other.file or 0].fits(beside):
                self._take_file(project, other, beside)
        return ""

    def _take_file(self, project: Project, missing: MissingFile, path: Path) -> None:
        kept, image = missing.kept, missing.kept.entry.image
        files = list(image.files) or [project.refer(path, sized=False)]
        number = missing.file or 0
        files[number] = project.refer(path, sized=files[number].size is not None)
        kept.entry = replace(kept.entry, image=replace(image, files=tuple(files)))
        self._set_missing([m for m in self.missing if m is not missing])
        if not any(m.kept is kept for m in self.missing):
            self._open_image(project, kept)

    def _choose_model(self, project: Project, missing: MissingFile, path: Path) -> str:
        kept, model = missing.kept, missing.kept.entry.model
        if model is None:
            return ""
        loaded = next(iter(_load(project, kept, replace(model, folder=project.refer(path)))))
        if loaded.checkpoint is None:
            return loaded.reason
        kept.entry = replace(kept.entry, model=replace(model, folder=project.refer(path)))
        kept.waits = True
        self._set_missing([m for m in self.missing if m is not missing])
        self._on_loaded(loaded)
        return ""

    def _add_missing(self, project: Project, kept: KeptImage) -> None:
        files = kept.entry.image.files
        gone = [k for k, file in enumerate(files) if file.find(project.folder) is None] or [0]
        reason = missing_sentence(project, kept.entry)
        titles = [file.name for file in files] or [kept.entry.name]
        found = [MissingFile(kept, k, titles[k], reason) for k in gone]
        self._set_missing([*self.missing, *found])

    def _on_refused(self, kept: KeptImage, reason: str) -> None:
        files = kept.entry.image.files
        title = files[0].name if files else kept.entry.name
        self._set_missing([*self.missing, MissingFile(kept, 0, title, reason)])

    def _set_missing(self, missing: list[MissingFile]) -> None:
        if missing != self.missing:
            self.missing = missing
            # Not within the signals of layers that are being inserted.
            QTimer.singleShot(0, self.missing_changed.emit)


def _load(project: Project, kept: KeptImage, model: ModelReference) -> Iterator[_Loaded]:
    """Look for a model and load it, in a worker."""
    place: str | Path | None = model.name
    if model.folder is not None:
        place = model.folder.find(project.folder)
        if place is None:
            reason = f"{model.folder.absolute} is not there any more; choose where {model.name} is."
            yield _Loaded(kept, model.name, None, reason)
            return
    try:
        checkpoint = load_model(place or model.name)
    except UserError as error:
        yield _Loaded(kept, model.name, None, str(error))
        return
    if model_fingerprint(checkpoint) != model.digest:
        yield _Loaded(kept, model.name, None, _other_weights(model, place or model.name))
        return
    yield _Loaded(kept, place or model.name, checkpoint)


def _other_weights(model: ModelReference, place: str | Path) -> str:
    return (
        f"{place} has other weights than the {model.name} of the session; choose the folder of "
        "the one that was used, or another model in the panel."
    )


def _in_colors(classes: ClassSchema, looks: tuple[ClassLook, ...]) -> ClassSchema:
    """The classes in the colours that a session remembers for them."""
    colors = {look.name: look.color for look in looks}
    for label, name in enumerate(classes.names):
        if name in colors:
            classes = recolored(classes, label, colors[name])
    return classes
