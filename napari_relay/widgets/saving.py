"""Saving what is shown: figures, and attention as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_relay.exporting.attention import export_attention
from napari_relay.exporting.figure import export_figure
from napari_relay.exporting.progress import ExportProgress
from napari_relay.geometry import Window
from napari_relay.inference.attention import Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.shown_figure import shown_figure
from napari_relay.widgets.viewport import visible_window

_SUFFIX = ".ome.zarr"


class Saving(QObject):
    """Asks where, and saves in a worker of its own: a prediction goes on meanwhile.

    Parameters
    ----------
    controller
        Whose current image is saved.
    widget
        Over which is asked.
    """

    advanced = Signal(str)
    """How far it is, for a person to read; empty at the end."""

    def __init__(self, controller: RelayController, widget: QWidget) -> None:
        super().__init__(widget)
        self._controller, self._widget = controller, widget
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_advanced)
        self.jobs.ended.connect(lambda _name, _complete: self.advanced.emit(""))
        jobs = self.jobs
        self.destroyed.connect(lambda: jobs.cancel())

    @property
    def running(self) -> bool:
        """Whether something is being saved."""
        return self.jobs.running

    def cancel(self) -> None:
        """Stop; what is not whole is not left behind."""
        self.jobs.cancel()

    # --- figures

    def ask_figure(self) -> None:
        """Ask where, and save what is in view as a figure."""
        start = self._start("-figure.png")
        if start is None:
            return
        kinds = "PNG picture (*.png);;SVG drawing (*.svg)"
        path, kind = QFileDialog.getSaveFileName(self._widget, "Save the figure", start, kinds)
        if path:
            suffix = ".svg" if "svg" in kind else ".png"
            self.save_figure(Path(path) if Path(path).suffix else Path(path + suffix))

    def save_figure(self, path: Path) -> None:
        """Save what is in view as a figure."""
        layers = self._controller.current
        if layers is None:
            return
        shown = shown_figure(self._controller.viewer, layers)
        if shown is None:
            show_info("The image is not in view: press Home to bring it back.")
            return

        def write() -> Iterator[ExportProgress]:
            yield ExportProgress(path, 0, 1)
            export_figure(shown.content(), path)
            yield ExportProgress(path, 1, 1)

        self.jobs.start("Saving the figure", write)

    # --- arrays

    def ask_arrays(self, branches: Sequence[Branch], choice: AttentionChoice) -> None:
        """Ask what and where, and save attention as arrays."""
        start = self._start(f"-attention{_SUFFIX}")
        if start is None:
            return
        window = self._ask_window()
        if window is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self._widget, "Save the attention", start, f"OME-Zarr (*{_SUFFIX})"
        )
        if path:
            self.save_arrays(Path(path), branches, choice, window[0])

    def save_arrays(
        self,
        path: Path,
        branches: Sequence[Branch],
        choice: AttentionChoice,
        window: Window | None = None,
    ) -> None:
        """Save attention as OME-Zarr; of two branches, each in a folder named after it.

        Parameters
        ----------
        window
            Level-0 pixels; None: all that is predicted.
        """
        session = self._controller.session
        if session is None or session.store is None:
            return
        store, stem = session.store, _stem(path)
        names = {
            b: f"{stem}-{b}{_SUFFIX}" if len(branches) > 1 else stem + _SUFFIX for b in branches
        }

        def write() -> Iterator[ExportProgress]:
            for branch, name in names.items():
                yield from export_attention(store, branch, choice, path.with_name(name), window)

        self.jobs.start("Saving attention", write)

    def _ask_window(self) -> tuple[Window | None] | None:
        """What is to be saved, None for all that is predicted; None when it is not wanted."""
        asked = QMessageBox(self._widget)
        asked.setWindowTitle("Save the attention")
        asked.setText("Which part of the image?")
        view = asked.addButton("What is in view", QMessageBox.ButtonRole.AcceptRole)
        everything = asked.addButton("All that is predicted", QMessageBox.ButtonRole.AcceptRole)
        asked.addButton(QMessageBox.StandardButton.Cancel)
        asked.exec()
        layers, chosen = self._controller.current, asked.clickedButton()
        if chosen is everything:
            return (None,)
        if chosen is not view or layers is None:
            return None
        return (visible_window(self._controller.viewer, layers.base),)

    # --- both

    def _start(self, ending: str) -> str | None:
        session = self._controller.session
        if session is None:
            return None
        source = session.image.source
        return str(source.with_name(source.stem + ending))

    def _on_advanced(self, progress: ExportProgress) -> None:
        if progress.done == progress.total:
            show_info(f"Saved {progress.path}.")
        else:
            share = progress.done / progress.total
            self.advanced.emit(f"Saving {progress.path.name}: {share:.0%}")


def _stem(path: Path) -> str:
    """A file name without what says that it is OME-Zarr."""
    return path.name.removesuffix(".zarr").removesuffix(".ome")
