"""Which model is used."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy, QWidget

from napari_relay.images import PyramidImage
from napari_relay.images.relief import matching_bands
from napari_relay.inference import check_fit
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.sections.image_section import UNIT_NAMES
from napari_relay.widgets.sections.section import Section, button, note
from relay_tokens import ModelMetadata, UserError, load_metadata, zoo_folder, zoo_names

_SAME_SCALE = 1.5
"""Up to this ratio of pixel sizes a model is said to fit an image."""


class ModelSection(Section):
    """The models that come with the package, and any other by its folder."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Model", parent)
        self._controller = controller
        self._zoo = {name: load_metadata(zoo_folder(name)) for name in zoo_names()}
        self.choice = QComboBox()
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choice.setToolTip("The model that predicts; models that do not fit are greyed out")
        self.choice.activated.connect(self._on_chosen)
        self.card = note()
        self.add(self.choice)
        self.add(self.card)
        self.add(button("Open model…", "Use a model you trained: name its folder", self._ask))
        controller.model_changed.connect(self._refresh)
        self._refresh()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a model's folder")
        if folder:
            self._controller.use_model(folder)

    def _on_chosen(self, index: int) -> None:
        name = self.choice.itemData(index)
        if name in self._zoo:
            self._controller.use_model(name)
        self._refresh()

    def _refresh(self) -> None:
        session = self._controller.session
        checkpoint = session.checkpoint if session else None
        self.setEnabled(session is not None)
        self.choice.clear()
        self.choice.addItem("Choose a model…", None)
        for name, metadata in self._zoo.items():
            self._add(name, metadata, session.image if session else None)
        if session is None or checkpoint is None:
            self.card.setText("" if session is None else "No model is chosen yet.")
            return
        name = checkpoint.metadata.name
        if self.choice.findData(name) < 0:  # a model from a folder
            self._add(name, checkpoint.metadata, session.image)
        self.choice.setCurrentIndex(self.choice.findData(name))
        self.card.setText(describe(checkpoint.metadata, session.image))

    def _add(self, name: str, metadata: ModelMetadata, image: PyramidImage | None) -> None:
        self.choice.addItem(name, name)
        row = self.choice.count() - 1
        self.choice.setItemData(row, ", ".join(metadata.classes.names), Qt.ItemDataRole.ToolTipRole)
        fits = image is None or _fits(metadata, image)
        model = self.choice.model()
        item = model.item(row) if isinstance(model, QStandardItemModel) else None
        if not fits and item is not None:
            item.setEnabled(False)
            item.setText(f"{name} (needs {', '.join(metadata.bands)})")


def _fits(metadata: ModelMetadata, image: PyramidImage) -> bool:
    try:
        check_fit(matching_bands(image, metadata.bands), metadata)
    except UserError:
        return False
    return True


def describe(metadata: ModelMetadata, image: PyramidImage) -> str:
    """Classes, pixel size and score of a model, and whether it fits the image."""
    lines = [", ".join(metadata.classes.names)]
    facts = []
    if metadata.pixel_size is not None and metadata.unit is not None:
        unit = UNIT_NAMES.get(metadata.unit, metadata.unit)
        facts.append(f"trained at {metadata.pixel_size:.3g} {unit} a pixel")
    score = metadata.training.get("held_out", {}).get("miou")
    if score is not None:
        facts.append(f"held-out mIoU {score:.2f}")
    lines += [" · ".join(facts)] if facts else []
    if warning := scale_warning(metadata, image):
        lines.append(warning)
    return "\n".join(lines)


def scale_warning(metadata: ModelMetadata, image: PyramidImage) -> str:
    """One sentence when the image's pixels are of another size than the model's."""
    if metadata.pixel_size is None or image.pixel_size is None or metadata.unit != image.unit:
        return ""
    ratio = image.pixel_size[0] / metadata.pixel_size
    if 1 / _SAME_SCALE <= ratio <= _SAME_SCALE:
        return ""
    coarser = f"{ratio:.2g} times coarser" if ratio > 1 else f"{1 / ratio:.2g} times finer"
    return f"⚠ The image's pixels are {coarser} than those the model was trained on."
