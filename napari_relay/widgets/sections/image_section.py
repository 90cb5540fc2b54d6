"""Which image is worked on."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy, QWidget

from napari_relay.images import PyramidImage, image_suffixes
from napari_relay.widgets.controller import OPENING, OpenProgress, RelayController
from napari_relay.widgets.sections.section import Section, button, note

UNIT_NAMES = {"um": "µm", "m": "m", "degree": "°"}


class ImageSection(Section):
    """The open images, and what is known of the current one."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Image", parent)
        self._controller = controller
        self.choice = QComboBox()
        self.choice.setToolTip("The image that is predicted and corrected")
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choice.activated.connect(self._on_chosen)
        self.facts = note()
        self.add(self.choice)
        self.add(self.facts)
        self.add(button("Open image…", "Open a slide, a GeoTIFF or another large image", self._ask))
        controller.images_changed.connect(self._refresh)
        controller.session_changed.connect(self._refresh)
        controller.opening.connect(self._on_opening)
        controller.jobs.started.connect(self._on_job_started)
        controller.jobs.ended.connect(lambda *_: self._refresh())
        self._refresh()

    def _ask(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in image_suffixes())
        path, _ = QFileDialog.getOpenFileName(
            self, "Open an image", "", f"Images ({patterns});;All files (*)"
        )
        if path:
            self._controller.open(Path(path))

    def _on_chosen(self, index: int) -> None:
        self._controller.work_on(self._controller.layers[index])

    def _on_job_started(self, name: str) -> None:
        if name == OPENING:
            self.facts.setText("Opening…")

    def _on_opening(self, progress: OpenProgress) -> None:
        share = progress.done / max(progress.total, 1)
        self.facts.setText(f"Building the missing resolution levels, once: {share:.0%}")

    def _refresh(self) -> None:
        images = self._controller.layers
        self.choice.clear()
        self.choice.addItems([layers.base.name for layers in images])
        self.choice.setEnabled(bool(images))
        current = self._controller.current
        if current is None:
            self.facts.setText("No image is open. Open one, or drop a file on the canvas.")
            return
        self.choice.setCurrentIndex(images.index(current))
        self.facts.setText(describe(current.session.image))


def describe(image: PyramidImage) -> str:
    """Size, bands, pixel size and coordinate system, in two or three short lines."""
    height, width = image.shape
    bands = ", ".join(image.bands) if len(image.bands) <= 4 else f"{len(image.bands)} bands"
    size = f"{width:_} × {height:_} px".replace("_", "\u2009")
    lines = [f"{size} · {bands} · {image.dtype}"]
    if image.pixel_size is not None and image.unit is not None:
        row, col = image.pixel_size
        side = f"{col:.4g}" if abs(row - col) < 1e-6 * row else f"{col:.4g} × {row:.4g}"
        lines.append(f"{side} {UNIT_NAMES.get(image.unit, image.unit)} a pixel")
    else:
        lines.append("pixel size unknown")
    if image.crs:
        lines[-1] += f" · {image.crs}"
    return "\n".join(lines)
