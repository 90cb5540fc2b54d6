"""What a person sees over the panel while the session can only be looked at."""

from __future__ import annotations

from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget

from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.sections.section import button, note
from napari_relay.widgets.session_keeper import SessionKeeper
from napari_relay.widgets.session_opener import SessionOpener
from relay_tokens import UserError

_LOOK_MS = 2000
"""How often it is looked whether the other window has closed."""
_STYLE = (
    "ReadOnlyBanner { background: #ffd54f; border-radius: 4px }"
    "ReadOnlyBanner QLabel { color: #1b1b1b; background: transparent }"
)
"""Dark on amber: it is read on napari's light and dark themes alike."""


class ReadOnlyBanner(QFrame):
    """Says why nothing may be written, and offers to take over when that has ended."""

    def __init__(
        self,
        controller: RelayController,
        keeper: SessionKeeper,
        opener: SessionOpener,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller, self._keeper, self._opener = controller, keeper, opener
        self.setStyleSheet(_STYLE)
        self.text = note()
        self.take_over = button(
            "Take over", "Open it again, to paint, predict and fine-tune here", self._take_over
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.addWidget(self.text)
        column.addWidget(self.take_over)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        keeper.changed.connect(self.refresh)
        controller.session_changed.connect(self.refresh)
        controller.model_changed.connect(self.refresh)
        controller.closing.connect(self._timer.stop)
        self.refresh()

    def refresh(self) -> None:
        """Say how it is now."""
        reason = self._keeper.read_only
        self.setVisible(bool(reason))
        if not reason:
            self._timer.stop()
            return
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Offer to take over if what held the session has let it go."""
        free = self._is_free()
        self.take_over.setVisible(free)
        begin = "The other window has closed." if free else self._keeper.read_only
        self.text.setText(f"{begin} Here it can only be looked at.")

    def _is_free(self) -> bool:
        project, session = self._keeper.project, self._controller.session
        if project is not None and project.read_only:
            return project.can_be_taken_over
        return session is not None and session.files.can_be_taken_over

    def _take_over(self) -> None:
        project, session = self._keeper.project, self._controller.session
        if project is not None and project.read_only:
            self._opener.open(project.folder)
        elif session is not None:
            try:
                session.move_to(session.folder)
            except UserError as error:
                report(error)
        if self._keeper.read_only:
            show_info(self._keeper.read_only)
        self.refresh()
