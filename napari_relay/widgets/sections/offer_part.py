"""What a round of fine-tuning offers: the measurements, and what a person may do about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_relay.training import FinetuneResult, Scores
from napari_relay.widgets.finetuner import Finetuner, Offer
from napari_relay.widgets.offer_changes import OfferChanges
from napari_relay.widgets.sections.section import button, note

_GOOD, _BAD = "#2e9e5b", "#d1603d"
_FRAME = "OfferPart { border: 1px solid palette(mid); border-radius: 4px }"


class _Row(NamedTuple):
    """A line of the table."""

    name: str
    """What was measured."""
    before: float
    """With the weights in use."""
    after: float
    """With the new ones."""
    is_total: bool
    """Whether it is a mean over classes, and not one class."""
    is_score: bool = True
    """Whether more is better."""


class OfferPart(QFrame):
    """Scores before and after, a recommendation, the changes of the view, accept or reject.

    Parameters
    ----------
    finetuner
        Whose offers are shown; hidden while there is none.
    changes
        Shows what changes in the view.
    """

    def __init__(
        self, finetuner: Finetuner, changes: OfferChanges, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setStyleSheet(_FRAME)
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(10)
        self._table.setVerticalSpacing(1)
        self.reason = note()
        self.changed = note()
        self.show_changes = button(
            "Show what changes in the view",
            "Compare what the new weights say of the view with what those in use say, "
            "and lay what differs over the image",
            changes.compare,
        )
        self.accept = button(
            "Accept", "Keep the new weights as a version and use them", finetuner.accept
        )
        self.reject = button(
            "Reject", "Go on with the weights in use; the new ones are gone", finetuner.reject
        )
        self._lay_out()
        finetuner.offered.connect(self._on_offered)
        changes.advanced.connect(self._say)
        self.setVisible(False)

    def texts(self) -> list[str]:
        """What the table says, row by row."""
        cells = (self._table.itemAt(i) for i in range(self._table.count()))
        widgets = (cell.widget() for cell in cells if cell is not None)
        return [widget.text() for widget in widgets if isinstance(widget, QLabel)]

    def _lay_out(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 6, 8, 8)
        whole.setSpacing(5)
        whole.addWidget(self.reason)
        whole.addLayout(self._table)
        whole.addWidget(self.show_changes)
        whole.addWidget(self.changed)
        row = QHBoxLayout()
        row.addWidget(self.accept, 1)
        row.addWidget(self.reject, 1)
        whole.addLayout(row)

    def _on_offered(self, offer: Offer | None) -> None:
        self.setVisible(offer is not None)
        self._say("")
        if offer is not None:
            self._show(offer.result)

    def _say(self, text: str) -> None:
        """Say what changes in the view."""
        self.changed.setText(text)
        self.changed.setVisible(bool(text))

    def _show(self, result: FinetuneResult) -> None:
        word = "Recommended" if result.recommended else "Not recommended"
        color = _GOOD if result.recommended else _BAD
        self.reason.setText(f"<b style='color: {color}'>{word}.</b> {result.reason}")
        self.accept.setText("Accept" if result.recommended else "Use them anyway")
        while (item := self._table.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for column, heading in enumerate(("mIoU", "in use", "new"), start=0):
            self._table.addWidget(_cell(heading, column, bold=False), 0, column)
        for number, row in enumerate(_rows(result), start=1):
            self._add(number, row)

    def _add(self, number: int, row: _Row) -> None:
        name = row.name if row.is_total else f"   {row.name}"
        color = ""
        if row.is_score and abs(row.after - row.before) >= 0.005:
            color = _GOOD if row.after > row.before else _BAD
        for column, text in enumerate((name, _number(row.before), _number(row.after))):
            cell = _cell(text, column, bold=row.is_total)
            if column == 2 and color:
                cell.setStyleSheet(f"color: {color}")
            self._table.addWidget(cell, number, column)


def _rows(result: FinetuneResult) -> Iterator[_Row]:
    names = result.state.metadata.classes.names
    kind = "corrections held out" if result.is_held_out else "corrections learnt"
    yield from _of(kind, result.before, result.after, names)
    if result.base_before is not None and result.base_after is not None:
        yield from _of("its training data", result.base_before, result.base_after, names)
    if not np.isnan(result.agreement):
        yield _Row("like before, elsewhere", 1.0, result.agreement, True, is_score=False)


def _of(kind: str, before: Scores, after: Scores, names: tuple[str, ...]) -> Iterator[_Row]:
    """The mean, and each class that is labelled."""
    yield _Row(kind, before.miou, after.miou, True)
    labelled = before.confusion.sum(axis=1) > 0
    for name, old, new, is_there in zip(names, before.iou, after.iou, labelled, strict=True):
        if is_there:
            yield _Row(name, float(old), float(new), False)


def _cell(text: str, column: int, bold: bool) -> QLabel:
    cell = QLabel(text)
    font = cell.font()
    font.setBold(bold)
    cell.setFont(font)
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    cell.setAlignment(side)
    return cell


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"
