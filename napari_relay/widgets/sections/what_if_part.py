"""What changes with another context."""

from __future__ import annotations

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QProgressBar, QPushButton, QWidget

from napari_relay.exploring import Place, ViewChanges, WhatIf
from napari_relay.exploring.what_if import OtherContext
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.probe_sentences import changes_sentence
from napari_relay.widgets.prober import Prober
from napari_relay.widgets.sections.section import Section, add_field, button, note
from napari_relay.widgets.viewport import visible_window

_KINDS: dict[OtherContext, tuple[str, str]] = {
    "cut": (
        "the relay tokens are cut",
        "The relay tokens read nothing of the wide view, so that it says nothing to the detail",
    ),
    "blank": ("the wide view is blank", "The wide view shows the mean colour everywhere"),
    "elsewhere": (
        "the wide view is another place's",
        "The model sees the detail here, and around it the surroundings of another place",
    ),
}


class WhatIfPart(Section):
    """Choose another context, and see which pixels change class with it."""

    choosing_changed = Signal(bool)
    """Whether the next click chooses the other place."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("What if", parent)
        self._controller = controller
        self._prober: Prober | None = None
        self._other: Place | None = None
        self.kind = QComboBox()
        for kind, (title, tooltip) in _KINDS.items():
            self.kind.addItem(title, kind)
            self.kind.setItemData(self.kind.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.choose = QPushButton("Choose the other place")
        self.choose.setCheckable(True)
        self.choose.setToolTip("The next click in the image says whose wide view is used")
        self.choose.toggled.connect(self.choosing_changed)
        self.run = button(
            "Show what changes", "Compare in the probed window (yellow)", self._compare
        )
        self.run_view = button(
            "… in the view",
            "Compare everywhere on screen, from the middle outwards: what depends on the context",
            self._compare_view,
        )
        self.cancel = button("Cancel", "Stop now and keep what is shown", self._cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.found = note()
        add_field(self.add_form(), "What if", self.kind)
        self.add(self.choose)
        self.add_row(self.run, self.run_view)
        self.add_row(self.bar, self.cancel)
        self.add(self.found)
        self._refresh()
        self._tell()

    @property
    def choosing(self) -> bool:
        """Whether the next click chooses the other place."""
        return self.choose.isChecked()

    def follow(self, prober: Prober | None) -> None:
        """Ask about another image from here on."""
        if prober is self._prober:
            return
        if self._prober is not None:
            self._prober.changed.disconnect(self._refresh)
            self._prober.compared.disconnect(self._on_compared)
        self._prober = prober
        self._other = None
        self.choose.setChecked(False)
        if prober is not None:
            prober.changed.connect(self._refresh)
            prober.compared.connect(self._on_compared)
        self._refresh()

    def choose_place(self, place: Place) -> None:
        """Use the wide view of this place."""
        self._other = place
        self.choose.setChecked(False)
        self._refresh()

    def stop_choosing(self) -> None:
        """Let the next click mean what it means otherwise."""
        self.choose.setChecked(False)

    def question(self) -> WhatIf | None:
        """What the fields say; None while the other place is missing."""
        kind: OtherContext = self.kind.currentData()
        if kind != "elsewhere":
            return WhatIf(kind)
        return WhatIf(kind, self._other) if self._other is not None else None

    def _on_kind(self) -> None:
        is_elsewhere = self.kind.currentData() == "elsewhere"
        self.choose.setChecked(is_elsewhere and self._other is None)
        self._refresh()

    def _compare(self) -> None:
        question = self._asked()
        if self._prober is not None and question is not None:
            self._prober.compare(question)

    def _compare_view(self) -> None:
        question, layers = self._asked(), self._controller.current
        if self._prober is not None and question is not None and layers is not None:
            view = visible_window(self._controller.viewer, layers.base)
            if view.intersects(layers.session.image.window):
                self._prober.compare_view(question, view)
            else:
                show_info("The image is not in view: press Home to bring it back.")

    def _asked(self) -> WhatIf | None:
        question = self.question()
        if question is None:
            self.choose.setChecked(True)
        return question

    def _cancel(self) -> None:
        if self._prober is not None:
            self._prober.cancel()

    def _on_compared(self, found: ViewChanges) -> None:
        self.bar.setRange(0, found.total)
        self.bar.setValue(found.done)
        self._tell()

    def _refresh(self) -> None:
        prober = self._prober
        is_elsewhere = self.kind.currentData() == "elsewhere"
        self.choose.setVisible(is_elsewhere)
        comparing = prober is not None and prober.comparing
        self.run.setEnabled(prober is not None and prober.probe is not None)
        for widget in (self.bar, self.cancel):
            widget.setVisible(comparing)
        if comparing and prober is not None and prober.comparison is None:
            self.bar.setRange(0, 0)
        if prober is not None:
            prober.show_other(self._other if is_elsewhere else None)
        self._tell()

    def _tell(self) -> None:
        text = self._text()
        self.found.setText(text)
        self.found.setVisible(bool(text))

    def _text(self) -> str:
        prober, session = self._prober, self._controller.session
        if self.choosing:
            return "Click the place whose wide view is to be used."
        if prober is None or session is None or session.checkpoint is None:
            return ""
        found, question = prober.comparison, prober.question
        if found is None or question is None:
            return "" if prober.probe is not None else "Probe a place, or compare the view."
        text = changes_sentence(found, question, session.checkpoint.metadata.classes)
        is_stopped = found.done < found.total and not prober.comparing
        return f"{text} Stopped; what was found is kept." if is_stopped else text
