"""Predicting, and how far it is."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QProgressBar, QWidget

from napari_relay.inference import PredictionReport, TileResult, can_show_glass
from napari_relay.session import Session
from napari_relay.widgets.controller import PREDICTING, RelayController
from napari_relay.widgets.sections.section import Section, button, note


class PredictionSection(Section):
    """Predict the view or everything, with progress, speed and time left."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Predict", parent)
        self._controller = controller
        self._started = 0.0
        self._arrived = 0
        self._report: PredictionReport | None = None
        self.predict_view = button(
            "Predict view", "Predict what is on screen", controller.predict_view
        )
        self.predict_all = button(
            "Predict all",
            "Predict the whole image, beginning with what is on screen",
            controller.predict_all,
        )
        self.draw_area = button(
            "Draw area",
            "Click the corners of an area on the image; Enter or a double click closes it",
            self._draw_area,
        )
        self.predict_area = button(
            "Predict area", "Predict what is inside the drawn areas", controller.predict_areas
        )
        self.cancel = button("Cancel", "Stop now and keep what is predicted", controller.cancel)
        self.resume = button("Resume", "Go on with what was stopped", controller.resume)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.status = note()
        self.skip_glass = QCheckBox("Skip bare glass")
        self.skip_glass.setToolTip("Leave out tiles of a slide that show nothing but empty glass")
        self.skip_glass.toggled.connect(self._on_skip_glass)
        self.add_row(self.predict_view, self.predict_all)
        self.add_row(self.draw_area, self.predict_area)
        self.add(self.skip_glass)
        self.add(self.bar)
        self.add(self.status)
        self.add_row(self.cancel, self.resume)
        controller.model_changed.connect(self._refresh)
        controller.predicted.connect(self._on_predicted)
        controller.reported.connect(self._on_reported)
        controller.jobs.started.connect(self._on_started)
        controller.jobs.ended.connect(self._on_ended)
        self._refresh()

    def _refresh(self) -> None:
        session = self._controller.session
        ready = session is not None and session.store is not None
        self.setEnabled(ready)
        self._refresh_buttons()
        self._refresh_skip_glass(session)
        if self._controller.jobs.name == PREDICTING or session is None or session.store is None:
            return
        finished, skipped = session.store.finished, int(session.store.skipped.sum())
        self.bar.setRange(0, finished.size)
        self.bar.setValue(int(finished.sum()) + skipped)
        also = f", {skipped} skipped" if skipped else ""
        self.status.setText(f"{int(finished.sum())} of {finished.size} tiles predicted{also}")

    def _refresh_buttons(self) -> None:
        running = self._controller.jobs.name == PREDICTING
        self.cancel.setEnabled(running)
        self.resume.setEnabled(not running and self._controller.can_resume)

    def _draw_area(self) -> None:
        if self._controller.current is not None:
            self._controller.current.areas.draw()

    def _refresh_skip_glass(self, session: Session | None) -> None:
        self.skip_glass.setVisible(session is not None and can_show_glass(session.image))
        with QSignalBlocker(self.skip_glass):
            self.skip_glass.setChecked(session is not None and session.options.skip_glass)

    def _on_skip_glass(self, checked: bool) -> None:
        session = self._controller.session
        if session is not None:
            session.options = replace(session.options, skip_glass=checked)

    def _on_started(self, name: str) -> None:
        self._refresh_buttons()
        if name == PREDICTING:
            self._started, self._arrived, self._report = monotonic(), 0, None
            self.bar.setRange(0, 0)
            self.status.setText("Reading the first tiles…")

    def _on_predicted(self, result: TileResult) -> None:
        self._arrived += 1
        self.bar.setRange(0, result.total)
        self.bar.setValue(result.done)
        rate = self._arrived / max(monotonic() - self._started, 1e-6)
        left = (result.total - result.done) / rate
        self.status.setText(
            f"{result.done} of {result.total} tiles · {rate:.1f} tiles/s · {clock(left)} left"
        )

    def _on_ended(self, name: str, complete: bool) -> None:
        self._refresh_buttons()
        if name != PREDICTING:
            return
        self._refresh()
        if complete and self._report is not None:
            self.status.setText("\n".join(self._report.sentences))
        else:
            self.status.setText(f"{self.status.text()} · stopped; what is predicted is kept")

    def _on_reported(self, report: PredictionReport) -> None:
        self._report = report


def clock(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
