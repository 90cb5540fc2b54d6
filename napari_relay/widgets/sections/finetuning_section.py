"""Fine-tuning on corrections, and going back."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtWidgets import QCheckBox, QProgressBar, QWidget

from napari_relay.training import FinetuneOptions, FinetuneProgress
from napari_relay.training.finetune_options import USUAL, Trains
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.finetuner import Offer
from napari_relay.widgets.offer_changes import OfferChanges
from napari_relay.widgets.round_times import RoundTimes, rounded
from napari_relay.widgets.sections.loss_curve import LossCurve
from napari_relay.widgets.sections.offer_part import OfferPart
from napari_relay.widgets.sections.section import Section, add_field, button, note
from napari_relay.widgets.sections.version_part import VersionPart

_TRAINS: dict[Trains, str] = {
    "auto": "as much as 20 s allow",
    "head": "head and relay tokens",
    "adapters": "+ adapters in every block",
    "all": "all weights",
}


class FinetuningSection(Section):
    """Train on what is painted, with live curves; then take the new weights, or not."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Fine-tune", parent)
        self._controller, finetuner = controller, controller.finetuner
        self._has_result = False
        choices = [(name, trains) for trains, name in _TRAINS.items()]
        self.trains = ComboBox(label="Trains", choices=choices, value="auto")
        self.steps = SpinBox(label="Steps", value=USUAL["auto"].steps, min=5, max=2000, step=10)
        self.steps.tooltip = "More steps learn the corrections more firmly, and take longer"
        self.estimate = note()
        self.others = QCheckBox("Learn from all open images")
        self.others.setToolTip(
            "From the corrections of every open image that has some for the same classes"
        )
        self.start = button(
            "Fine-tune",
            "Train a copy of the model on the corrections; the model in use goes on meanwhile",
            self._start,
        )
        self.stop = button(
            "Stop", "End now, and look at the best weights so far", controller.finetuner.stop
        )
        self.restart = button(
            "Retrain from the base",
            "Train the model as it was loaded anew, on all corrections there are",
            lambda: self._start(from_base=True),
        )
        self.undo = button(
            "Undo fine-tune",
            "Go back to the version before; this one is kept in the list",
            controller.undo_finetune,
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.curve = LossCurve()
        self.status = note()
        self.changes = OfferChanges(controller, self)
        self.offer = OfferPart(finetuner, self.changes)
        self.versions = VersionPart(controller)
        self._times = RoundTimes(controller, self)
        self._lay_out()
        self._follow()
        self._refresh()

    def _lay_out(self) -> None:
        form = self.add_form()
        for field in (self.trains, self.steps):
            add_field(form, field.label, field.native)
        self.add(self.estimate)
        self.add(self.others)
        self.add_row(self.start, self.stop)
        self.add_row(self.restart, self.undo)
        for widget in (self.bar, self.curve, self.status, self.offer, self.versions):
            self.add(widget)
        self._show_progress(False)

    def _follow(self) -> None:
        controller, finetuner = self._controller, self._controller.finetuner
        controller.model_changed.connect(self._refresh)
        controller.images_changed.connect(self._refresh)
        finetuner.progressed.connect(self._on_progress)
        finetuner.offered.connect(self._on_offered)
        finetuner.jobs.started.connect(self._on_started)
        finetuner.jobs.ended.connect(self._on_ended)
        self._times.changed.connect(self._estimate)
        self.trains.changed.connect(self._on_trains)
        self.steps.changed.connect(self._estimate)

    def _options(self) -> FinetuneOptions:
        trains: Trains = self.trains.value
        return FinetuneOptions(trains=trains, steps=int(self.steps.value))

    def _start(self, from_base: bool = False) -> None:
        self._controller.finetuner.start(
            self._options(),
            with_others=self.others.isVisibleTo(self) and self.others.isChecked(),
            from_base=from_base,
        )

    def _refresh(self) -> None:
        session, finetuner = self._controller.session, self._controller.finetuner
        version = session.version if session else None
        self.setEnabled(version is not None)
        self.stop.setEnabled(finetuner.jobs.running)
        fine_tuned = session is not None and session.parent() is not None
        self.undo.setEnabled(fine_tuned)
        self.restart.setEnabled(fine_tuned and not finetuner.jobs.running)
        self.others.setVisible(bool(finetuner.others(self._controller.current)))
        self._estimate()

    def _on_trains(self) -> None:
        self.steps.value = USUAL[self.trains.value].steps
        self._estimate()

    def _estimate(self) -> None:
        """Say how long a round will take, once the model's speed is known."""
        text = self._times.sentence(self._options())
        self.estimate.setText(text)
        self.estimate.setVisible(bool(text))

    def _on_started(self) -> None:
        self._has_result = False
        self.curve.clear()
        self.bar.setRange(0, 0)
        self._show_progress(True)
        self.status.setText("Gathering the corrections…")
        self.start.setEnabled(False)
        self.restart.setEnabled(False)
        self.stop.setEnabled(True)

    def _show_progress(self, shown: bool) -> None:
        """Bar and curve; before the first round there is nothing to see."""
        self.bar.setVisible(shown)
        self.curve.setVisible(shown)

    def _on_progress(self, progress: FinetuneProgress) -> None:
        self.bar.setRange(0, progress.steps)
        self.bar.setValue(progress.step)
        self.curve.append(progress.loss)
        if progress.measured is not None:
            step = 0 if progress.step == 1 else progress.step
            self.curve.mark("corrections", step, progress.measured.corrections.miou)
            if progress.measured.base is not None:
                self.curve.mark("training data", step, progress.measured.base.miou)
        self.status.setText(
            f"Step {progress.step} of {progress.steps} · mIoU on corrections "
            f"{progress.before:.2f} → {progress.after:.2f} · {_left(progress.seconds_left)}"
        )

    def _on_offered(self, offer: Offer | None) -> None:
        if offer is not None:
            self._has_result = True
            steps = offer.result.steps
            self.status.setText(f"Trained for {steps} steps; nothing changes until you accept.")
        elif self._has_result:
            self.status.setText("")

    def _on_ended(self) -> None:
        self.start.setEnabled(True)
        self.bar.setRange(0, 1)
        self.bar.setValue(int(self._has_result))
        if not self._has_result:
            self.status.setText("Stopped; the model in use is as it was.")
        self._refresh()


def _left(seconds: float) -> str:
    """A guess of the time that is left, as roughly as it is known."""
    if seconds < 1:
        return "almost done"
    return f"about {rounded(seconds)} left"
