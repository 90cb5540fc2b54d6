"""What a person sees before an image is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_relay.images.recent_images import RecentImage, forget_image, recent_images
from napari_relay.samples import sample_landscape, sample_slide, sample_terrain
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.recent_recorder import resume
from napari_relay.widgets.sections.section import button, note
from relay_tokens import UserError

_WIDTH = 660
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
    ask
        Asks for a file to open.
    canvas
        What is covered.
    """

    def __init__(
        self, controller: RelayController, ask: Callable[[], object], canvas: QWidget
    ) -> None:
        super().__init__(canvas)
        self._controller = controller
        self._viewer: Viewer = controller.viewer
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.open = button("Open image…", "A slide, a GeoTIFF or another large image", ask)
        self.resume = button("Continue", "Open it where you were, with its model", self._resume)
        self.status = note()
        self.recent = QVBoxLayout()
        self.recent.setSpacing(2)
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
        inner.setMaximumWidth(_WIDTH)
        column = QVBoxLayout(inner)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(10)
        column.addStretch(1)
        column.addWidget(_title("napari-relay", 24))
        column.addWidget(
            note(
                "Open a large image, choose a model, and see what it finds. Correct it, and it "
                "learns. Drop an image anywhere on this page to open it."
            )
        )
        begin = _row(self.open, self.resume)
        begin.setStretchFactor(self.resume, 2)
        column.addLayout(begin)
        column.addWidget(self.status)
        column.addWidget(_title("Samples", 12))
        column.addLayout(_row(*(self._sample(*sample) for sample in _SAMPLES)))
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
        while (item := self.recent.takeAt(0)) is not None:
            if (row := item.widget()) is not None:
                row.setParent(None)
                row.deleteLater()
        known = recent_images()
        for image in known:
            self.recent.addWidget(RecentRow(image, self._open, self._forget))
        self._recent_title.setVisible(bool(known))
        last = next(iter(known), None)
        self.resume.setVisible(last is not None and last.missing is None)
        if last is not None:
            self.resume.setText(_elided(f"Continue with {last.name}", self.resume, _RESUME_WIDTH))
            self.resume.setToolTip(_what(last))

    def _open(self, image: RecentImage) -> None:
        self._controller.open_stack(image.paths)

    def _resume(self) -> None:
        for image in recent_images()[:1]:
            resume(self._controller, image)

    def _forget(self, image: RecentImage) -> None:
        try:
            forget_image(image)
        except UserError as error:
            report(error)
        self._list_recent()


def _what(image: RecentImage) -> str:
    version = f", version {image.version}" if image.version else ""
    model = f" with {Path(image.model).name}{version}" if image.model else ""
    return f"Open {image.name}{model}, where you were in it"


class RecentRow(QWidget):
    """An image of the list: its name, where it lies, and a button that takes it off."""

    def __init__(
        self,
        image: RecentImage,
        opened: Callable[[RecentImage], None],
        forgotten: Callable[[RecentImage], None],
    ) -> None:
        super().__init__()
        missing = image.missing
        self.open = QPushButton(_elided(image.name, self, _WIDTH // 3))
        self.open.setFlat(True)
        self.open.setEnabled(missing is None)
        self.open.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.open.clicked.connect(partial(_call, opened, image))
        self.place = QLabel()
        self.place.setEnabled(missing is None)
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.forget = QToolButton()
        self.forget.setText("✕")
        self.forget.setAutoRaise(True)
        self.forget.setToolTip("Take this image off the list; its file stays")
        self.forget.clicked.connect(partial(_call, forgotten, image))
        self._say(image, missing)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.open)
        row.addWidget(self.place, 1)
        row.addWidget(self.forget)

    def _say(self, image: RecentImage, missing: Path | None) -> None:
        folder = str(image.paths[0].parent)
        text = folder if missing is None else f"not found in {missing.parent}"
        self.place.setText(_elided(text, self.place, _WIDTH // 2, Qt.TextElideMode.ElideMiddle))
        self.setToolTip("\n".join(str(path) for path in image.paths))

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """As wide as the page lets it be."""
        return QSize(_WIDTH, super().sizeHint().height())


def _call(
    function: Callable[[RecentImage], None], image: RecentImage, _checked: bool = False
) -> None:
    function(image)


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


def _elided(
    text: str,
    widget: QWidget,
    width: int,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
) -> str:
    return QFontMetrics(widget.font()).elidedText(text, mode, width)
