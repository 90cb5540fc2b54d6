"""What a person sees before an image is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_relay.images.recent_images import RecentImage, forget_image, recent_images
from napari_relay.samples import sample_landscape, sample_slide, sample_terrain
from napari_relay.sessions.recent import RecentSession, forget_session, recent_sessions
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.recent_recorder import resume
from napari_relay.widgets.recent_row import WIDTH, RecentItem, RecentRow, elided
from napari_relay.widgets.sections.section import button, note
from napari_relay.widgets.session_desk import SessionDesk
from relay_tokens import UserError

_RESUME_WIDTH = 350
_SAMPLES = (
    ("Slide", sample_slide(), "A real H&E slide, 2220 × 2967 px at 0.5 µm"),
    ("Landscape", sample_landscape(), "A synthetic site: colours and elevation, 16 384 px a side"),
    ("Terrain", sample_terrain(), "Synthetic elevation, 768 px a side at 1 m"),
)


class StartPage(QFrame):
    """Covers the canvas while no layer is in the viewer.

    Parameters
    ----------
    controller
        Opens what is chosen.
    sessions
        Opens sessions.
    ask
        Asks for a file to open.
    canvas
        What is covered.
    """

    def __init__(
        self,
        controller: RelayController,
        sessions: SessionDesk,
        ask: Callable[[], object],
        canvas: QWidget,
    ) -> None:
        super().__init__(canvas)
        self._controller = controller
        self._sessions = sessions
        self._last: RecentSession | RecentImage | None = None
        self._viewer: Viewer = controller.viewer
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.open = button("Open image…", "A slide, a GeoTIFF or another large image", ask)
        self.open_session = button(
            "Open session…", "A .relay folder: images with the work on them", sessions.part.ask
        )
        self.resume = button("Continue", "Open it where you were, with its model", self._resume)
        self.status = note()
        self.saved, self.recent = QVBoxLayout(), QVBoxLayout()
        for rows in (self.saved, self.recent):
            rows.setSpacing(2)
        self._lay_out()
        canvas.installEventFilter(self)
        layers = self._viewer.layers.events
        layers.inserted.connect(self.refresh)
        layers.removed.connect(self.refresh)
        controller.opener.jobs.started.connect(self._tell)
        controller.opener.jobs.ended.connect(self._tell)
        self.resize(canvas.size())
        self.refresh()

    def close_page(self) -> None:
        """Follow the viewer no more."""
        layers = self._viewer.layers.events
        layers.inserted.disconnect(self.refresh)
        layers.removed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the page, or hide it; with what is on disk now."""
        shown = not self._viewer.layers
        if shown:
            self._list_recent()
            self._tell()
            self.raise_()
        self.setVisible(shown)

    def eventFilter(self, canvas: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Be as large as the canvas."""
        if event is not None and event.type() == QEvent.Type.Resize and isinstance(canvas, QWidget):
            self.resize(canvas.size())
        return False

    def _lay_out(self) -> None:
        inner = QWidget()
        inner.setMaximumWidth(WIDTH)
        column = QVBoxLayout(inner)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(10)
        column.addStretch(1)
        column.addWidget(_title("napari-relay", 24))
        column.addWidget(
            note(
                "Open a large image, choose a model, and see what it finds. Correct it, and it "
                "learns. Drop an image or a session anywhere on this page to open it."
            )
        )
        begin = _row(self.open, self.open_session, self.resume)
        begin.setStretchFactor(self.resume, 2)
        column.addLayout(begin)
        column.addWidget(self.status)
        column.addWidget(_title("Samples", 12))
        column.addLayout(_row(*(self._sample(*sample) for sample in _SAMPLES)))
        self._saved_title = _title("Sessions", 12)
        column.addWidget(self._saved_title)
        column.addLayout(self.saved)
        self._recent_title = _title("Recent images", 12)
        column.addWidget(self._recent_title)
        column.addLayout(self.recent)
        column.addStretch(2)
        self._show_in_the_middle(inner)

    def _show_in_the_middle(self, inner: QWidget) -> None:
        holder = QWidget()
        across = QHBoxLayout(holder)
        across.setContentsMargins(0, 0, 0, 0)
        across.addStretch(1)
        across.addWidget(inner, 100)
        across.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(holder)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)

    def _sample(self, name: str, path: Path, tooltip: str) -> QPushButton:
        return button(name, tooltip, lambda: self._controller.open(path))

    def _tell(self) -> None:
        opening = self._controller.opener.opening
        self.status.setText("Opening…" if opening else "")
        self.status.setVisible(opening)

    def _list_recent(self) -> None:
        images, sessions = recent_images(), recent_sessions()
        named = [session for session in sessions if not session.is_unnamed]
        _fill(self.saved, [self._session_row(session) for session in named])
        _fill(self.recent, [self._image_row(image) for image in images])
        self._saved_title.setVisible(bool(named))
        self._recent_title.setVisible(bool(images))
        self._offer_to_continue(next(iter(sessions), None), next(iter(images), None))

    def _offer_to_continue(self, session: RecentSession | None, image: RecentImage | None) -> None:
        """With the last session as it is on disk, or else with the last image."""
        self._last = session if session is not None and not session.missing else image
        if isinstance(self._last, RecentSession):
            images = ", ".join(self._last.images)
            name, what = self._last.name, f"Open {images} where you left off"
        elif self._last is not None and self._last.missing is None:
            name, what = self._last.name, _what(self._last)
        else:
            self.resume.hide()
            return
        self.resume.show()
        self.resume.setText(elided(f"Continue with {name}", self.resume, _RESUME_WIDTH))
        self.resume.setToolTip(what)

    def _image_row(self, image: RecentImage) -> RecentRow:
        missing = image.missing
        folder = str(image.paths[0].parent)
        item = RecentItem(
            image.name,
            folder if missing is None else f"not found in {missing.parent}",
            "\n".join(str(path) for path in image.paths),
            missing is None,
            "Take this image off the list; its file stays",
        )
        opened = partial(self._controller.open_stack, image.paths)
        return RecentRow(item, opened, partial(self._forget, partial(forget_image, image)))

    def _session_row(self, session: RecentSession) -> RecentRow:
        folder, gone = session.folder, session.missing
        item = RecentItem(
            session.name,
            f"not found in {folder.parent}" if gone else f"{', '.join(session.images)}",
            str(folder),
            not gone,
            "Take this session off the list; its folder stays",
        )
        opened = partial(self._sessions.open, folder)
        return RecentRow(item, opened, partial(self._forget, partial(forget_session, folder)))

    def _resume(self) -> None:
        if isinstance(self._last, RecentSession):
            self._sessions.open(self._last.folder)
        elif self._last is not None:
            resume(self._controller, self._last)

    def _forget(self, forget: Callable[[], None]) -> None:
        try:
            forget()
        except UserError as error:
            report(error)
        self._list_recent()


def _fill(rows: QVBoxLayout, made: list[RecentRow]) -> None:
    while (item := rows.takeAt(0)) is not None:
        if (row := item.widget()) is not None:
            row.setParent(None)
            row.deleteLater()
    for row in made:
        rows.addWidget(row)


def _what(image: RecentImage) -> str:
    version = f", version {image.version}" if image.version else ""
    model = f" with {Path(image.model).name}{version}" if image.model else ""
    return f"Open {image.name}{model}, where you were in it"


def _title(text: str, points: int) -> QLabel:
    made = QLabel(text)
    made.setStyleSheet(f"font-size: {points}pt; font-weight: bold")
    made.setIndent(0)
    return made


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget, 1)
    return row
