"""Fine-tuning on corrections, and going back."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtWidgets import QComboBox, QMessageBox, QProgressBar, QWidget

from napari_relay.training import FinetuneOptions, FinetuneProgress, FinetuneResult
from napari_relay.widgets.controller import FINETUNING, RelayController
from napari_relay.widgets.sections.loss_curve import LossCurve
from napari_relay.widgets.sections.section import Section, add_field, button, note

_TRAINS = [("all weights", "all"), ("last block, head and tokens (quicker)", "head")]


class FinetuningSection(Section):
    """Train on what is painted, with a live loss; undo; choose among versions."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Fine-tune", parent)
        self._controller = controller
        self._has_result = False
        defaults = FinetuneOptions()
        self.trains = ComboBox(label="Trains", choices=_TRAINS, value=defaults.trains)
        self.steps = SpinBox(label="Steps", value=defaults.steps, min=5, max=2000, step=10)
        self.steps.tooltip = "More steps learn the corrections more firmly, and take longer"
        self.start = button(
            "Fine-tune",
            "Train a copy of the model on the corrections, then predict the view with it",
            self._start,
        )
        self.stop = button("Stop", "Stop training; the model in use stays", controller.cancel)
        self.undo = button(
            "Undo fine-tune",
            "Go back to the version before; this one is kept in the list",
            controller.undo_finetune,
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.curve = LossCurve()
        self.versions = QComboBox()
        self.versions.setToolTip("All versions of this model on this image; none is ever deleted")
        self.versions.activated.connect(self._on_version)
        self.status = note()
        form = self.add_form()
        for field in (self.trains, self.steps):
            add_field(form, field.label, field.native)
        self.add_row(self.start, self.stop, self.undo)
        self.add(self.bar)
        self.add(self.curve)
        self.add(self.status)
        add_field(form, "Version", self.versions)
        controller.model_changed.connect(self._refresh)
        controller.finetuned.connect(self._on_progress)
        controller.offered.connect(self._on_offered)
        controller.jobs.started.connect(self._on_started)
        controller.jobs.ended.connect(self._on_ended)
        self._refresh()

    def _start(self) -> None:
        self._controller.finetune(
            FinetuneOptions(steps=int(self.steps.value), trains=self.trains.value)
        )

    def _refresh(self) -> None:
        session = self._controller.session
        version = session.version if session else None
        self.setEnabled(version is not None)
        self.stop.setEnabled(self._controller.jobs.name == FINETUNING)
        self.undo.setEnabled(session is not None and session.parent() is not None)
        self.versions.clear()
        if session is None or version is None:
            return
        kept = session.versions()
        for one in kept:
            self.versions.addItem(one.label, one)
        self.versions.setCurrentIndex([v.number for v in kept].index(version.number))

    def _on_version(self, index: int) -> None:
        self._controller.use_version(self.versions.itemData(index))

    def _on_started(self, name: str) -> None:
        if name == FINETUNING:
            self._has_result = False
            self.curve.clear()
            self.bar.setRange(0, 0)
            self.status.setText("Gathering the corrections…")
            self.start.setEnabled(False)
            self.stop.setEnabled(True)

    def _on_progress(self, progress: FinetuneProgress) -> None:
        self.bar.setRange(0, progress.steps)
        self.bar.setValue(progress.step)
        self.curve.append(progress.loss)
        self.status.setText(
            f"Step {progress.step} of {progress.steps} · mIoU on corrections "
            f"{progress.before:.2f} → {progress.after:.2f}"
        )
        if progress.result is not None:
            self._has_result = True
            self.status.setText(describe(progress.result))

    def _on_ended(self, name: str) -> None:
        self.start.setEnabled(True)
        self.stop.setEnabled(False)
        if name == FINETUNING:
            self.bar.setRange(0, 1)
            self.bar.setValue(int(self._has_result))
            if not self._has_result:
                self.status.setText("Stopped; the model in use is as it was.")

    def _on_offered(self, result: FinetuneResult) -> None:
        """Ask about weights that the measurements speak against."""
        asked = QMessageBox(self)
        asked.setWindowTitle("Use the new weights?")
        asked.setText("The new weights are not recommended.")
        asked.setInformativeText(describe(result))
        use = asked.addButton("Use them anyway", QMessageBox.ButtonRole.AcceptRole)
        keep = asked.addButton("Keep the old ones", QMessageBox.ButtonRole.RejectRole)
        asked.setDefaultButton(keep)
        asked.buttonClicked.connect(
            lambda clicked: self._controller.accept(result) if clicked is use else None
        )
        asked.open()


def describe(result: FinetuneResult) -> str:
    """What a round of fine-tuning changed, in two sentences."""
    where = "corrections kept out of training" if result.is_held_out else "the corrections"
    return (
        f"mIoU on {where}: {result.before.miou:.2f} → {result.after.miou:.2f}. "
        f"Elsewhere {result.agreement:.0%} like before."
    )
