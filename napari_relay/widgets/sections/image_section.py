"""Which image is worked on."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QSizePolicy, QWidget

from napari_relay.images import PyramidImage, image_suffixes
from napari_relay.images.relief import STYLES, elevation_band
from napari_relay.widgets.band_display import BandChoice, BandDisplay
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.image_layer import pyramid_of, shown_bands, shows_colors
from napari_relay.widgets.jobs import report
from napari_relay.widgets.level_builds import OpenProgress
from napari_relay.widgets.relief_layers import ReliefLayers
from napari_relay.widgets.sections.band_fields import BandFields
from napari_relay.widgets.sections.pixel_size_field import PixelSizeField
from napari_relay.widgets.sections.section import Section, add_field, button, note
from relay_tokens import UserError

ELEVATION, COLORS = "Elevation", "Colours"
"""What a terrain is shown as when it is opened; the second with colours beside its elevation."""
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
        self.pixel_size = self._add_pixel_size()
        self.relief = self._add_relief()
        self.display = BandDisplay()
        self.bands = BandFields()
        self.bands.changed.connect(self._on_bands)
        self.add(self.bands)
        self.add(button("Open image…", "Open a slide, a GeoTIFF or another large image", self.ask))
        reliefs = self.reliefs = ReliefLayers(controller.viewer, self.refresh_shown)
        self.destroyed.connect(lambda: reliefs.close())
        controller.images_changed.connect(self._refresh)
        controller.session_changed.connect(self._refresh)
        controller.opening.connect(self._on_opening)
        controller.opener.jobs.started.connect(self._on_opening_started)
        controller.opener.jobs.ended.connect(self._refresh)
        self._refresh()

    def _add_pixel_size(self) -> PixelSizeField:
        """A field for what the file does not say, and its label."""
        field = PixelSizeField()
        field.chosen.connect(self._controller.set_pixel_size)
        self._pixel_size_form = self.add_form()
        add_field(self._pixel_size_form, "Pixel size", field)
        return field

    def _add_relief(self) -> QComboBox:
        """A box of what is shown of a terrain, and its label."""
        box = QComboBox()
        box.setToolTip("How the terrain is shown; what a model reads stays the same")
        box.addItem(ELEVATION)
        box.addItems([style.label for style in STYLES])
        box.activated.connect(self._on_relief_chosen)
        self._relief_form = self.add_form()
        add_field(self._relief_form, "Relief", box)
        return box

    def _show_row(self, form: QFormLayout, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label = form.labelForField(field)
        if label is not None:
            label.setVisible(shown)

    def _on_relief_chosen(self, index: int) -> None:
        current = self._controller.current
        image = pyramid_of(current.base) if current is not None else None
        if current is None or image is None:
            return
        try:
            self.reliefs.show(current.base, image, STYLES[index - 1] if index else None)
        except UserError as error:
            report(error)
        self.refresh_shown()

    def refresh_shown(self) -> None:
        """Offer relief where there is elevation, and tell what is shown."""
        current = self._controller.current
        # What is shown may have more bands than what the model in use reads.
        image = pyramid_of(current.base) if current is not None else None
        terrain = image is not None and elevation_band(image) is not None
        self._show_row(self._relief_form, self.relief, terrain)
        self.relief.setItemText(
            0, COLORS if image is not None and shows_colors(image) else ELEVATION
        )
        style = self.reliefs.style_of(current.base) if current is not None else None
        self.relief.setCurrentText(style.label if style is not None else self.relief.itemText(0))
        self._refresh_bands()

    def _on_bands(self, choice: BandChoice) -> None:
        current = self._controller.current
        image = pyramid_of(current.base) if current is not None else None
        if current is not None and image is not None:
            self.display.show(current.base, image, choice)
            self.bands.set_usual(self.display.usual_of(current.base, image))

    def _refresh_bands(self) -> None:
        """Offer the bands of the current image; not while its relief is shown instead."""
        current = self._controller.current
        image = pyramid_of(current.base) if current is not None else None
        self.bands.setVisible(image is not None)
        if current is None or image is None:
            return
        choice = self.display.choice_of(current.base, image)
        self.bands.describe(
            image.bands, shown_bands(image), self.display.usual_of(current.base, image), choice
        )
        self.bands.setEnabled(self.reliefs.style_of(current.base) is None)

    def ask(self) -> None:
        """Let the person choose a file, and open it."""
        patterns = " ".join(f"*{suffix}" for suffix in image_suffixes())
        path, _ = QFileDialog.getOpenFileName(
            self, "Open an image", "", f"Images ({patterns});;All files (*)"
        )
        if path:
            self._controller.open(Path(path))

    def _on_chosen(self, index: int) -> None:
        self._controller.work_on(self._controller.layers[index])

    def _on_opening_started(self) -> None:
        self.facts.setText("Opening…")

    def _on_opening(self, progress: OpenProgress) -> None:
        share = progress.done / max(progress.total, 1)
        self.facts.setText(
            f"Building the missing resolution levels, once: {share:.0%}. "
            "You can look around; it can be predicted when they are done."
        )

    def _refresh(self) -> None:
        images = self._controller.layers
        self.choice.clear()
        self.choice.addItems([layers.base.name for layers in images])
        self.choice.setEnabled(bool(images))
        self.refresh_shown()
        current = self._controller.current
        unknown = current is not None and current.session.image.pixel_size is None
        self._show_row(self._pixel_size_form, self.pixel_size, unknown)
        if current is None:
            self.facts.setText("No image is open. Open one, or drop a file on the canvas.")
            return
        self.choice.setCurrentIndex(images.index(current))
        self.facts.setText(describe(current.session.image))


def describe(image: PyramidImage) -> str:
    """Size, bands, pixel size, coordinate system, and whether it is synthetic, in short lines."""
    height, width = image.shape
    bands = ", ".join(image.bands) if len(image.bands) <= 4 else f"{len(image.bands)} bands"
    size = f"{width:_} × {height:_} px".replace("_", "\u2009")
    lines = [f"{size} · {bands} · {image.dtype}"]
    if image.pixel_size is not None and image.unit is not None:
        row, col = image.pixel_size
        side = f"{col:.4g}" if abs(row - col) < 1e-6 * row else f"{col:.4g} × {row:.4g}"
        lines.append(f"{side} {UNIT_NAMES.get(image.unit, image.unit)} a pixel")
    else:
        lines.append("pixel size unknown: give it below for scale bar and areas")
    if image.crs:
        lines[-1] += f" · {image.crs}"
    if image.synthetic is not None:
        lines.append(f"synthetic: {image.synthetic}")
    return "\n".join(lines)
