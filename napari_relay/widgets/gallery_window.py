"""The window that shows what each relay token looks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QCloseEvent, QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_relay.exploring.token_gallery import (
    GalleryProgress,
    TokenGallery,
    TokenPlace,
    token_gallery,
)
from napari_relay.geometry import Window
from napari_relay.inference.attention import BRANCHES, Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.widgets import attention_words
from napari_relay.widgets.attention_overlay import attention_colormap
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.layer_picture import LayerPicture, flattened, pictures_of
from napari_relay.widgets.sections.section import button, note

_SIDE = 72
"""Screen pixels of a thumbnail."""
_AROUND = 4
"""How many times wider what is looked at is than the thumbnail's window."""
_HELP = (
    "Each row is a relay token. The two patterns are its mean attention over all tiles: on the "
    "patches of a tile, and on those of the wide crop around it. Next to them are the places "
    "that it has most to do with; click one to go there."
)


@dataclass(frozen=True)
class _Thumbnail:
    """The image at a place."""

    token: int
    """Which relay token it excites."""
    rank: int
    """0: most."""
    pixels: NDArray[np.uint8]
    """``(rows, cols, 3)``."""


class GalleryWindow(QDialog):
    """Patterns and places of each relay token, found in a worker of its own.

    Parameters
    ----------
    controller
        Whose current image is looked through.
    """

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Relay tokens")
        self._controller = controller
        self._choice = AttentionChoice("relay_to_patch")
        self.gallery: TokenGallery | None = None
        self.places: list[list[QToolButton]] = []
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_advanced)
        self._jobs.ended.connect(self._on_ended)
        self.title = note()
        self.remark = note(_HELP)
        self.progress = QProgressBar()
        self.stop = button("Stop", "Stop looking", self._jobs.cancel)
        self.again = button("Look again", "Look through what is predicted now", self._look)
        self._rows = QGridLayout()
        self._fill()
        controller.session_changed.connect(self._on_session)
        controller.model_changed.connect(self._on_session)
        jobs = self._jobs
        self.destroyed.connect(lambda: jobs.cancel())

    def _fill(self) -> None:
        inner = QWidget()
        beside = QHBoxLayout()
        beside.addLayout(self._rows)
        beside.addStretch(1)
        around = QVBoxLayout(inner)
        around.addLayout(beside)
        around.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        line = QHBoxLayout()
        for widget, share in ((self.progress, 1), (self.stop, 0), (self.again, 0)):
            line.addWidget(widget, share)
        column = QVBoxLayout(self)
        for part in (self.title, self.remark, scroll):
            column.addWidget(part)
        column.addLayout(line)
        column.setStretch(2, 1)
        self.resize(1120, 560)

    @property
    def looking(self) -> bool:
        """Whether it is still being looked through."""
        return self._jobs.running

    def look_for(self, choice: AttentionChoice) -> None:
        """Open, and show what the relay tokens look for in the chosen attention."""
        self._choice = choice._replace(token=None)
        self.show()
        self.raise_()
        self._look()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Stop looking."""
        self._jobs.cancel()
        super().closeEvent(event)

    # --- looking

    def _look(self) -> None:
        layers = self._controller.current
        if layers is None or layers.session.store is None:
            return
        store, choice = layers.session.store, self._choice
        under = [x for x in self._controller.viewer.layers if not layers.owns(x)]
        pictures = pictures_of([layers.base, *under], layers.base)
        self.title.setText(f"<b>{store.header.model_name}</b>: {self._words()}")
        self._set_busy(True)

        def look() -> Iterator[GalleryProgress | _Thumbnail]:
            for progress in token_gallery(store, choice):
                yield progress
                if progress.gallery is not None:
                    yield from _thumbnails(progress.gallery, pictures)

        self._jobs.start("Looking through the relay tokens", look)

    def _words(self) -> str:
        return attention_words.in_words(self._choice, of_token=False)

    def _on_advanced(self, result: GalleryProgress | _Thumbnail) -> None:
        if isinstance(result, _Thumbnail):
            icon = QIcon(QPixmap.fromImage(_image(result.pixels)))
            self.places[result.token][result.rank].setIcon(icon)
            return
        self.progress.setMaximum(result.total)
        self.progress.setValue(result.done)
        if result.gallery is not None:
            self._show(result.gallery)

    def _on_ended(self, _name: str, _complete: bool) -> None:
        self._set_busy(False)

    def _on_session(self) -> None:
        """Another image or prediction: what is shown says nothing about it."""
        self._jobs.cancel()
        self._clear()
        self.close()

    def _set_busy(self, busy: bool) -> None:
        self.progress.setVisible(busy)
        self.stop.setVisible(busy)
        self.again.setVisible(not busy)

    # --- showing

    def _show(self, gallery: TokenGallery) -> None:
        self.gallery = gallery
        self._clear()
        seen = f"{gallery.seen:,} of {gallery.predicted:,} tiles"
        if gallery.seen == gallery.predicted:
            seen = f"all {gallery.seen:,} tiles"
        name = self.title.text().partition(":")[0]
        self.title.setText(f"{name}: {self._words()}; {seen}")
        for column, text in enumerate(("", "local", "global", "strongest places")):
            self._rows.addWidget(QLabel(text), 0, column, 1, 1 if column < 3 else -1)
        for row, one in enumerate(gallery.tokens, start=1):
            self._rows.addWidget(QLabel(f"Token {one.token + 1}"), row, 0)
            for column, branch in enumerate(BRANCHES, start=1):
                self._rows.addWidget(_pattern(one.patterns[branch], branch), row, column)
            self.places.append([self._place(place) for place in one.places])
            for column, place in enumerate(self.places[-1], start=3):
                self._rows.addWidget(place, row, column)

    def _clear(self) -> None:
        self.places = []
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()

    def _place(self, place: TokenPlace) -> QToolButton:
        made = QToolButton()
        made.setIconSize(QSize(_SIDE, _SIDE))
        made.setAutoRaise(True)
        row, col = (round(middle) for middle in place.window.center)
        made.setToolTip(f"attention {place.value:.3g}, at row {row}, column {col}; click to go")
        made.setAccessibleName(f"row {row}, column {col}")
        made.clicked.connect(lambda: self._controller.look_at(place.window.around(_AROUND)))
        return made


def _thumbnails(gallery: TokenGallery, pictures: list[LayerPicture]) -> Iterator[_Thumbnail]:
    """Read what is at each place; in the worker."""
    for one in gallery.tokens:
        for rank, place in enumerate(one.places):
            shape = (2 * _SIDE, 2 * _SIDE)  # sharp on dense screens too
            pixels = flattened(pictures, place.window, shape)
            _outline(pixels, place.window, gallery.cell)
            yield _Thumbnail(one.token, rank, pixels)


def _outline(pixels: NDArray[np.uint8], window: Window, cell: int) -> None:
    """Draw the patch in the middle, white in black."""
    rows = pixels.shape[0]
    half = max(round(cell / window.height * rows / 2), 3)
    first, last = rows // 2 - half, rows // 2 + half
    for margin, shade in ((1, 0), (0, 255)):
        a, b = first - margin, last + margin
        pixels[a : b + 1, [a, b]] = shade
        pixels[[a, b], a : b + 1] = shade


def _pattern(values: NDArray[np.float32], branch: Branch) -> QLabel:
    low, high = float(values.min()), float(values.max())
    share = (values - low) / max(high - low, 1e-12)
    colors = attention_colormap(branch).map(share)[..., :3]
    picture = QPixmap.fromImage(_image(np.rint(colors * 255).astype(np.uint8)))
    label = QLabel()
    label.setPixmap(picture.scaled(_SIDE, _SIDE))
    label.setToolTip(f"Mean attention from {low:.3g} (dark) to {high:.3g} (bright)")
    return label


def _image(pixels: NDArray[np.uint8]) -> QImage:
    rows, cols, _ = pixels.shape
    data = np.ascontiguousarray(pixels)
    return QImage(data.tobytes(), cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()
