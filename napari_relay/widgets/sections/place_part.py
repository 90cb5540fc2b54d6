"""The row that goes from one place worth looking at to the next."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_relay.annotation import RankedPlace
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.place_finder import PlaceFinder
from napari_relay.widgets.sections.section import button, note

_AROUND = 3
"""How much wider than a place the view is."""
_VERDICTS = {"open": "", "skipped": " · skipped", "agreed": " · agreed"}


class PlacePart(QWidget):
    """Previous, next, skip and agree, with where one is and why."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._finder: PlaceFinder | None = None
        self.status = note()
        self.previous = button("◀", "Back to the place before", self.go_back)
        self.next = button(
            "Next ▶", "Where the model is least sure, or its scales disagree", self.go
        )
        self.skip = button("Skip", "Leave this place out", self.skip_place)
        self.agree = button(
            "Agree",
            "The prediction is right here: keep it as corrections, to be learnt too",
            self.agree_with_place,
        )
        row = QHBoxLayout()
        row.setSpacing(5)
        for made, stretch in ((self.previous, 1), (self.next, 2), (self.skip, 2), (self.agree, 2)):
            row.addWidget(made, stretch)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(3)
        whole.addWidget(self.status)
        whole.addLayout(row)
        controller.model_changed.connect(self._follow_image)
        self._follow_image()

    def go(self) -> None:
        """Look at the next place."""
        if self._finder is not None:
            self._finder.next()

    def go_back(self) -> None:
        """Look at the place before."""
        if self._finder is not None:
            self._finder.previous()

    def skip_place(self) -> None:
        """Leave this place out, and look at the next one."""
        if self._finder is not None:
            self._finder.skip()

    def agree_with_place(self) -> None:
        """Keep what is predicted in this place, and look at the next one."""
        layers = self._controller.current
        if self._finder is None or layers is None or layers.show_corrections() is None:
            return
        window = self._finder.agree()
        if window is not None:
            layers.tools.agree(window)

    def _follow_image(self) -> None:
        layers = self._controller.current
        finder = layers.places if layers is not None else None
        if finder is not self._finder:
            if self._finder is not None and self._finder is not finder:
                self._finder.changed.disconnect(self._tell)
                self._finder.arrived.disconnect(self._look)
            self._finder = finder
            if finder is not None:
                finder.changed.connect(self._tell)
                finder.arrived.connect(self._look)
        self._tell()

    def _look(self, place: RankedPlace) -> None:
        self._controller.look_at(place.window.around(_AROUND))

    def _tell(self) -> None:
        finder = self._finder
        current = finder.queue.current if finder is not None else None
        for made in (self.previous, self.skip, self.agree):
            made.setEnabled(current is not None)
        if finder is None or current is None:
            waiting = finder is not None and finder.ranking
            self.status.setText("Look next: ranking…" if waiting else "Look next:")
            return
        why = {"unsure": f"unsure, {current.place.entropy:.0%}"}.get(
            current.place.reason, f"scales disagree, {current.place.disagreement:.0%}"
        )
        self.status.setText(
            f"Look next: {finder.queue.position} of {len(finder.queue)} · {why}"
            f"{_VERDICTS[current.verdict]}"
        )
