"""Keeps the session on disk in step with what a person does."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.annotation import Autosaver
from napari_relay.images import PyramidImage
from napari_relay.inference import can_show_glass
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.session import Session
from napari_relay.sessions import (
    Camera,
    ClassLook,
    ImageEntry,
    ImageReference,
    Manifest,
    ModelReference,
    Project,
)
from napari_relay.sessions.corrected_images import check_same
from napari_relay.sessions.project import prune_unnamed
from napari_relay.sessions.recent import remember_session
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.session_view import ViewKeeper
from relay_tokens import UserError, zoo_names

_LOOK_MS = 1000
"""How often it is looked what has changed."""
_SAVE_SECONDS = 0.5
"""How soon that is written; both together are less than two seconds."""
_GONE_SECONDS = 0.9
"""How long an image stays in the session after its layer has gone: a closing window
takes its layers out too."""


@dataclass(eq=False)
class KeptImage:
    """An image of the session, open or not."""

    entry: ImageEntry
    """What is remembered of it."""
    layers: SessionLayers | None = None
    """Its layers; None: it is not open."""
    waits: bool = False
    """Whether it is not shown yet as it is remembered."""
    described: bool = False
    """Whether its view was written down since it was opened."""
    closed: float | None = None
    """When its layer has gone, by the monotonic clock; None: it has not."""


class SessionKeeper(QObject):
    """Holds the session that the window works in, and writes down what has changed.

    As soon as an image is open there is one, without a name at first.

    Parameters
    ----------
    controller
        Whose images are kept.
    view
        Describes how they are shown.
    """

    changed = Signal()
    """Another session is worked in, or it may be written now."""
    refused = Signal(object, str)
    """A :class:`KeptImage` whose file is another image, and why."""
    _failed = Signal(object)

    def __init__(self, controller: RelayController, view: ViewKeeper) -> None:
        super().__init__(controller)
        self.project: Project | None = None
        self.images: list[KeptImage] = []
        self._controller = controller
        self._viewer: Viewer = controller.viewer
        self._view = view
        self._autosaver: Autosaver | None = None
        self._expected: dict[tuple[Path, ...], KeptImage] = {}
        self._failed.connect(report)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        controller.images.make_session = self._make_session
        controller.images.closing.connect(self._on_closing)
        controller.images_changed.connect(self._on_images)
        controller.model_used.connect(self._on_model)
        controller.closing.connect(self.close)
        self._on_images()

    @property
    def restoring(self) -> bool:
        """Whether an image is not shown yet as it is remembered."""
        return any(image.waits for image in self.images)

    @property
    def read_only(self) -> str:
        """Why the session, or the image that is worked on, may not be written."""
        if self.project is not None and self.project.read_only:
            return self.project.read_only
        return self._controller.session.read_only if self._controller.session else ""

    # --- one session after the other

    def begin(self, project: Project) -> None:
        """Work in a session from here on; its images are opened by others."""
        self.end()
        self.project = project
        self.images = [KeptImage(entry) for entry in project.manifest.images]
        self._save_on()
        self._remember()
        self.changed.emit()

    def go_on_in(self, project: Project) -> None:
        """Go on with the images that are open, in a copy of the session."""
        self.end(keep_images=True)
        self.project = project
        for kept, entry in zip(self.images, project.manifest.images, strict=True):
            kept.entry = entry
        self._save_on()
        self._remember()
        self.changed.emit()

    def end(self, *, keep_images: bool = False) -> None:
        """Write down how it is, and let the session go."""
        project, self.project = self.project, None
        if not keep_images:
            self.images, self._expected = [], {}
        if self._autosaver is not None:
            self._autosaver.stop()
            self._autosaver = None
        if project is not None:
            project.close()
            self.changed.emit()

    def close(self) -> None:
        """Write down how it is, once and for all."""
        if self._timer.isActive():
            self._timer.stop()
            if any(kept.layers is not None and kept.closed is None for kept in self.images):
                self.look()
            self.end()

    def expect(self, paths: tuple[Path, ...], kept: KeptImage) -> None:
        """Take the image that is opened from these files for one of the session."""
        self._expected[tuple(path.absolute() for path in paths)] = kept
        kept.waits = True

    def shown(self, kept: KeptImage) -> None:
        """Note that an image is shown as it is remembered: what changes now is written down."""
        kept.waits = False

    # --- what is remembered

    def look(self) -> None:
        """See what has changed, and have it written."""
        now = time.monotonic()
        left = [k for k in self.images if k.closed is None or now - k.closed < _GONE_SECONDS]
        if not left and self.images:
            self.end()
            return
        self.images = left
        if self.project is None or not self.images or self.project.read_only:
            return
        for kept in self.images:
            self._describe(kept)
        self._put()

    def _put(self) -> None:
        if self.project is not None:
            self.project.put(self._manifest(self.project.manifest))

    def _manifest(self, before: Manifest) -> Manifest:
        entries = tuple(kept.entry for kept in self.images)
        if self.restoring:
            return replace(before, images=entries)
        current = [k for k, kept in enumerate(self.images) if self._is_current(kept)]
        camera, gone = self._camera(), any(kept.closed is not None for kept in self.images)
        if gone or not current:
            return replace(before, images=entries)
        return Manifest(entries, current[0], camera)

    def _is_current(self, kept: KeptImage) -> bool:
        return kept.layers is not None and kept.layers is self._controller.current

    def _camera(self) -> Camera:
        camera = self._viewer.scene.camera
        y, x = (float(v) for v in tuple(camera.center)[-2:])
        return Camera((y, x), float(camera.zoom))

    def _describe(self, kept: KeptImage) -> None:
        layers = kept.layers
        if layers is None or kept.waits or kept.closed is not None:
            return
        session, entry, image = layers.session, kept.entry, layers.session.image
        kept.described = True
        usual = can_show_glass(image)
        glass = session.options.skip_glass
        kept.entry = replace(
            entry,
            image=replace(entry.image, pixel_size=image.pixel_size, unit=image.unit),
            model=self._model_now(entry.model, session),
            classes=_classes(session) or entry.classes,
            every_head=session.options.attention_heads == "all",
            skip_glass=None if glass == usual else glass,
            view=self._view.describe(layers, entry.view),
        )

    def _model_now(self, model: ModelReference | None, session: Session) -> ModelReference | None:
        version = session.version
        if model is None or version is None or version.number == model.version:
            return model
        return replace(model, lineage=session.lineage())

    # --- following the window

    def _make_session(self, image: PyramidImage) -> Session | None:
        fingerprint = image_fingerprint(image)
        kept = self._expected.pop(image.sources, None)
        if kept is not None and self.project is not None:
            try:
                check_same(kept.entry, fingerprint)
            except UserError as error:
                kept.waits = False
                self.refused.emit(kept, str(error))
                return None
        project = self.project
        folder = project.folder_for(image.source.stem, fingerprint) if project else None
        return Session(image, folder, read_only=self._reason(fingerprint))

    def _reason(self, fingerprint: str) -> str:
        """Why the work on an image may not be written: another window holds the session."""
        project = self.project
        if project is None or not project.read_only:
            return ""
        mine = any(k.entry.image.fingerprint == fingerprint for k in self.images)
        return project.read_only if mine else ""

    def _on_images(self) -> None:
        """Take up the images that were opened since."""
        for layers in self._controller.layers:
            if not any(kept.layers is layers for kept in self.images):
                self._take_up(layers)

    def _take_up(self, layers: SessionLayers) -> None:
        fingerprint = layers.session.files.fingerprint
        for kept in self.images:
            gone = kept.layers is None or kept.closed is not None
            if gone and kept.entry.image.fingerprint == fingerprint:
                kept.layers, kept.closed, kept.described = layers, None, False
                return
        if self.project is None:
            self._begin_unnamed()
        if self.project is not None and not self.project.read_only:
            self.images.append(KeptImage(self._new_entry(self.project, layers), layers))

    def _begin_unnamed(self) -> None:
        try:
            self.project = Project.create_unnamed()
        except UserError:
            return  # the data folder cannot be written; whoever needs it more says so
        prune_unnamed()
        self._remember()
        self._save_on()
        self.changed.emit()

    def _new_entry(self, project: Project, layers: SessionLayers) -> ImageEntry:
        session, image = layers.session, layers.session.image
        sized = image.synthetic is None
        files = tuple(project.refer(path, sized=sized) for path in image.sources)
        return ImageEntry(
            " + ".join(path.name for path in image.sources),
            project.entry_folder(session.folder),
            ImageReference(files, session.files.fingerprint, image.pixel_size, image.unit),
        )

    def _on_model(self, layers: SessionLayers, name: str) -> None:
        """Note which model it is: in the zoo, or in which folder."""
        for kept in self.images:
            store = layers.session.store
            if kept.layers is layers and store is not None and self.project is not None:
                folder = None if name in zoo_names() else self.project.refer(Path(name))
                title = name if folder is None else store.header.model_name
                model = ModelReference(title, folder, store.header.model)
                if not kept.waits:
                    kept.entry = replace(kept.entry, model=model)
        self.changed.emit()

    def _on_closing(self, layers: SessionLayers) -> None:
        """Keep how it was; when it was the last, have it written at once."""
        for kept in self.images:
            if kept.layers is layers:
                if not kept.described:  # else its overlays may have gone before it
                    self._describe(kept)
                self._put()
                kept.closed = time.monotonic()
        if self.project is not None and all(kept.closed is not None for kept in self.images):
            try:
                self.project.flush()
            except UserError as error:
                report(error)

    # --- writing

    def _save_on(self) -> None:
        if self.project is not None and not self.project.read_only:
            self._autosaver = Autosaver(self.project.flush, self._failed.emit, _SAVE_SECONDS)
            self._autosaver.start()

    def _remember(self) -> None:
        if self.project is None:
            return
        try:
            remember_session(self.project.folder)
        except UserError as error:
            report(error)


def _classes(session: Session) -> tuple[ClassLook, ...]:
    return tuple(ClassLook(c.name, c.color) for c in session.classes or ())
