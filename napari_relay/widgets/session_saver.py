"""Saving a session under a name, and going on there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari.layers import Layer
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_relay.sessions import CopyProgress, Project, SessionCopy
from napari_relay.sessions.copying import free_predictions
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import JobRunner, report
from napari_relay.widgets.session_keeper import SessionKeeper
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.session_view import ViewKeeper
from relay_tokens import UserError

SAVING = "Saving the session"
_FREEING = "Making room"


class SessionSaver(QObject):
    """Copies the session in a worker while the work goes on, then goes on in the copy.

    The session that was copied stays as it was, but for the predictions of one
    without a name, which would take their room twice.
    """

    advanced = Signal(str)
    """How far it is, for a person to read; empty at the end."""

    def __init__(
        self, controller: RelayController, keeper: SessionKeeper, view: ViewKeeper
    ) -> None:
        super().__init__(controller)
        self._controller = controller
        self._keeper = keeper
        self._view = view
        self._copy: SessionCopy | None = None
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_advanced)
        self.jobs.ended.connect(self._on_ended)
        for runner in (controller.jobs, controller.finetuner.jobs):
            runner.ended.connect(self._finish_when_quiet)
        controller.closing.connect(self.cancel)

    def ask(self, widget: QWidget) -> None:
        """Ask where, and save the session there."""
        project = self._keeper.project
        if project is None:
            show_info("No image is open yet; open one, then save the session.")
            return
        name = Path(project.manifest.images[0].name).stem if project.manifest.images else "session"
        start = str(Path.home() / name) if project.is_unnamed else str(project.folder)
        path, _ = QFileDialog.getSaveFileName(
            widget, "Save the session as", start, "Sessions (*.relay)"
        )
        if path:
            self.save_as(Path(path))

    def save_as(self, target: Path) -> None:
        """Copy the session to another place in the background, then go on there."""
        self._keeper.look()
        project = self._keeper.project
        if project is None or self.jobs.running:
            return
        try:
            copy = self._copy = SessionCopy(project, target)
        except UserError as error:
            report(error)
            return
        self.jobs.start(SAVING, copy.run)

    def cancel(self) -> None:
        """Leave the session where it is."""
        copy, self._copy = self._copy, None
        self.jobs.cancel()
        if copy is not None and not self.jobs.running:
            copy.abandon()
        self.advanced.emit("")

    def _on_advanced(self, progress: object) -> None:
        if isinstance(progress, CopyProgress) and progress.total:
            share = progress.done / progress.total
            self.advanced.emit(f"Saving the session: {share:.0%}")

    def _on_ended(self, name: str, complete: bool) -> None:
        if name != SAVING:
            return
        if complete:
            self._finish_when_quiet()
        else:
            self._copy = None
            self.advanced.emit("")

    def _finish_when_quiet(self) -> None:
        """Go over to the copy as soon as nothing writes into the session."""
        if self._copy is None or self.jobs.running:
            return
        for runner in (self._controller.jobs, self._controller.finetuner.jobs):
            if runner.running:
                self.advanced.emit(
                    f"The session is copied; it moves when {runner.name.lower()} ends."
                )
                return
        copy, self._copy = self._copy, None
        self.advanced.emit("")
        try:
            self._go_over(copy)
        except UserError as error:
            copy.abandon()
            report(error)

    def _go_over(self, copy: SessionCopy) -> None:
        keeper, old = self._keeper, self._keeper.project
        keeper.look()
        if old is None:
            raise UserError("The session was closed before it was saved; it is as it was.")
        sessions = [kept.layers.session for kept in keeper.images if kept.layers is not None]
        try:
            for session in sessions:
                session.pause()
            project = Project.open(copy.finish())
        except UserError:
            for session in sessions:
                session.move_to(session.folder)
            raise
        before = [old.image_folder(entry) for entry in old.manifest.images]
        keeper.go_on_in(project)
        current = self._controller.current
        tool = _tool_of(current, self._controller.viewer.layers.selection.active)
        for kept in keeper.images:
            if kept.layers is not None:
                kept.layers.session.move_to(project.image_folder(kept.entry))
                self._view.show_looks(kept.layers, kept.entry.view)
        self._controller.work_on(current)
        layer = current.show_corrections() if current is not None and tool is not None else None
        if layer is not None and tool is not None:
            layer.selected_label, layer.brush_size, layer.mode = tool
        show_info(f"Saved {project.folder}.")
        if old.is_unnamed:
            self.jobs.start(_FREEING, lambda: _free(before))


def _tool_of(layers: SessionLayers | None, active: Layer | None) -> tuple[int, float, str] | None:
    """Class, brush and tool that a person paints with; None: they do not paint."""
    layer = layers.corrections if layers is not None else None
    if layer is None or active is None or active is not layer:
        return None
    return int(layer.selected_label), float(layer.brush_size), str(layer.mode)


def _free(folders: list[Path]) -> Iterator[None]:
    for folder in folders:
        free_predictions(folder)
        yield
