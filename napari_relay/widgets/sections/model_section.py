"""Which model is used."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy, QWidget

from napari_relay.images import PyramidImage
from napari_relay.images.relief import matching_bands
from napari_relay.inference import check_fit
from napari_relay.training import model_card
from napari_relay.training.imported_model import imported_models
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.model_import import ImportDialog, Imported, ModelImporter
from napari_relay.widgets.reading_window import ReadingWindow
from napari_relay.widgets.sections.image_section import UNIT_NAMES
from napari_relay.widgets.sections.section import Section, button, note
from napari_relay.widgets.session_layers import SessionLayers
from relay_tokens import Checkpoint, ModelMetadata, UserError, load_metadata, zoo_folder, zoo_names

_SAME_SCALE = 1.5
"""Up to this ratio of pixel sizes a model is said to fit an image."""
_CARD = "README.md"
"""File of a model's folder that tells of it."""


class ModelSection(Section):
    """The models that come with the package, imported ones, and any other by its folder."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Model", parent)
        self._controller = controller
        self._known = {name: zoo_folder(name) for name in zoo_names()}
        self._metadata = {name: load_metadata(folder) for name, folder in self._known.items()}
        self._card_window: ReadingWindow | None = None
        self.importer = ModelImporter(self)
        self.importer.ended.connect(self._on_imported)
        self.choice = QComboBox()
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choice.setToolTip("The model that predicts; models that do not fit are greyed out")
        self.choice.activated.connect(self._on_chosen)
        self.card = note()
        self.read_card = button("Model card…", "What it was trained on, and how well", self._read)
        self.add(self.choice)
        self.add(self.card)
        self.add_row(
            button("Open model…", "Use a model you trained: name its folder", self._ask),
            button("Import…", "A model package, or the paper's own weights", self._ask_for_import),
            self.read_card,
        )
        controller.model_used.connect(self._on_used)
        controller.model_changed.connect(self._refresh)
        self._find_imported()
        self._refresh()

    def _find_imported(self) -> None:
        """Add the imported models; one that is damaged is left out."""
        for folder in imported_models():
            try:
                self._metadata[folder.name] = load_metadata(folder)
            except UserError:
                continue
            self._known[folder.name] = folder

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a model's folder")
        if folder:
            self._controller.use_model(folder)

    def _ask_for_import(self) -> None:
        session = self._controller.session
        dialog = ImportDialog(self.importer, session.image if session else None, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_imported(self, imported: Imported) -> None:
        if imported.folder is None:
            return
        self._find_imported()
        # It may be for other bands than those of this image: it is in the list all the same.
        if self._controller.session is None or not self._controller.use_model(imported.folder):
            self._refresh()

    def _on_used(self, layers: SessionLayers, name_or_folder: str) -> None:
        checkpoint = layers.session.checkpoint
        if checkpoint is not None and name_or_folder not in zoo_names():
            self._known[checkpoint.metadata.name] = Path(name_or_folder)

    def _read(self) -> None:
        """Show the card of the model in use."""
        session = self._controller.session
        if session is None or session.checkpoint is None:
            return
        name = session.checkpoint.metadata.name
        if self._card_window is None:
            self._card_window = ReadingWindow("", self)
        self._card_window.setWindowTitle(name)
        self._card_window.page.setMarkdown(card_text(session.checkpoint, self._known.get(name)))
        self._card_window.bring_up()

    def _on_chosen(self, index: int) -> None:
        name = self.choice.itemData(index)
        if name in zoo_names():
            self._controller.use_model(name)
        elif name in self._known:
            self._controller.use_model(self._known[name])
        self._refresh()

    def _refresh(self) -> None:
        session = self._controller.session
        checkpoint = session.checkpoint if session else None
        self.setEnabled(session is not None)
        self.read_card.setEnabled(checkpoint is not None)
        self.choice.clear()
        self.choice.addItem("Choose a model…", None)
        for name, metadata in self._metadata.items():
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


def card_text(checkpoint: Checkpoint, folder: Path | None) -> str:
    """A model's card in Markdown: the one beside it, else one made of what its file tells."""
    try:
        if folder is not None:
            return (folder / _CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    return model_card(checkpoint.model.config, checkpoint.metadata, parameters)


def describe(metadata: ModelMetadata, image: PyramidImage) -> str:
    """Classes and score of a model, and how it fits the image."""
    lines = [", ".join(metadata.classes.names)]
    score = metadata.training.get("held_out", {}).get("miou")
    lines += [f"held-out mIoU {score:.2f}"] if score is not None else []
    return "\n".join(
        [*lines, f"Bands: {_bands_text(metadata, image)}", scale_text(metadata, image)]
    )


def _bands_text(metadata: ModelMetadata, image: PyramidImage) -> str:
    """Which of the image's bands are read as those of the model."""
    reads = ", ".join(metadata.bands)
    if matching_bands(image, metadata.bands).bands == image.bands != metadata.bands:
        return f"{reads}; this image's {', '.join(image.bands)} are taken for them, in this order"
    own = {band.lower() for band in (*image.bands, "elevation")}
    worked_out = [band for band in metadata.bands if band.lower() not in own]
    return f"{reads} ✓" + (f" ({', '.join(worked_out)} from the elevation)" if worked_out else "")


def scale_text(metadata: ModelMetadata, image: PyramidImage) -> str:
    """One sentence on the pixel size of the training, and whether the image's is alike."""
    if metadata.pixel_size is None or metadata.unit is None:
        return "Pixels: it is not known at what size it was trained"
    trained = f"{metadata.pixel_size:.3g} {UNIT_NAMES.get(metadata.unit, metadata.unit)}"
    if image.pixel_size is None or image.unit != metadata.unit:
        return f"Pixels: trained at {trained}; how large this image's are is not known"
    ratio = image.pixel_size[0] / metadata.pixel_size
    if 1 / _SAME_SCALE <= ratio <= _SAME_SCALE:
        return f"Pixels: trained at {trained} ✓"
    coarser = f"{ratio:.2g} times coarser" if ratio > 1 else f"{1 / ratio:.2g} times finer"
    return f"⚠ Pixels: trained at {trained}; this image's are {coarser}, so expect less of it"
