"""Bringing a checkpoint of the authors' code, or a package, into the app."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_relay.images import PyramidImage
from napari_relay.training.imported_model import ImportRequest, import_model, import_package
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.sections.section import button, note
from relay_tokens import UserError
from relay_tokens.interchange import is_package

IMPORTING = "Importing the model"
_WEIGHTS = "Models (*.zip *.safetensors *.ckpt *.pth);;All files (*)"
_SETTINGS = "Settings (*.yaml *.yml *.json);;All files (*)"
_EXPLANATION = (
    "A package that was exported here (.bioimageio.zip), which tells everything; or weights of the "
    "paper's own code, and the settings of their run (config.yaml), with what neither file tells."
)


@dataclass(frozen=True)
class Imported:
    """What became of an import."""

    folder: Path | None
    """The model's folder; None when it failed."""
    error: str = ""
    """One sentence, when it failed."""


class ModelImporter(QObject):
    """Imports checkpoints and packages in a worker of its own."""

    ended = Signal(object)
    """An :class:`Imported`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self.ended)

    def start(self, request: ImportRequest | Path) -> None:
        """Import a checkpoint, or the package at a path, in the background."""
        self.jobs.start(IMPORTING, lambda: _import(request))


def _import(request: ImportRequest | Path) -> Iterator[Imported]:
    try:
        if isinstance(request, Path):
            yield Imported(import_package(request))
        else:
            yield Imported(import_model(request))
    except UserError as error:
        yield Imported(None, str(error))


class ImportDialog(QDialog):
    """Asks for a checkpoint and for what its file does not tell; stays until it is imported."""

    def __init__(
        self, importer: ModelImporter, image: PyramidImage | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._importer = importer
        self.setWindowTitle("Import a model")
        self.weights = _FileField("Weights", _WEIGHTS)
        self.settings = _FileField("Settings of the run", _SETTINGS)
        self.name = QLineEdit()
        self.classes = QLineEdit()
        self.bands = QLineEdit(", ".join(image.bands) if image is not None else "")
        self.mean = QLineEdit()
        self.std = QLineEdit()
        self.pixel_size = _PixelSize(image)
        self.message = note()
        self._of_checkpoints: list[QWidget] = []
        self.buttons = QDialogButtonBox()
        self.ok = self.buttons.addButton(QDialogButtonBox.StandardButton.Ok)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self._lay_out()
        self.buttons.accepted.connect(self._start)
        self.buttons.rejected.connect(self.reject)
        self.weights.chosen.connect(self._suggest_name)
        self.weights.path.textChanged.connect(self._ask_what_is_needed)
        importer.ended.connect(self._on_ended)

    def request(self) -> ImportRequest | Path:
        """What the fields say; of a package, which tells all itself, its path.

        Raises
        ------
        UserError
            When a field is empty that is needed, or is no list of numbers.
        """
        weights = Path(self.weights.path.text().strip())
        if is_package(weights):
            return weights
        for field, what in ((self.weights.path, "weights"), (self.settings.path, "settings")):
            if not field.text().strip():
                raise UserError(f"Choose the file of the {what}.")
        size, unit = self.pixel_size.value()
        return ImportRequest(
            weights,
            Path(self.settings.path.text().strip()),
            self.name.text().strip(),
            _names(self.classes, "classes"),
            _names(self.bands, "bands"),
            _numbers(self.mean, "Mean"),
            _numbers(self.std, "Spread"),
            size,
            unit,
        )

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.classes.setPlaceholderText("background, mound, …: in the order of the output")
        self.bands.setPlaceholderText("red, green, blue, …: in the order of the input")
        self.mean.setPlaceholderText("of each band in training; empty: of every image itself")
        self.std.setPlaceholderText("of each band in training; empty: of every image itself")
        for label, field in (
            ("Weights", self.weights),
            ("Settings", self.settings),
            ("Name", self.name),
            ("Classes", self.classes),
            ("Bands", self.bands),
            ("Mean", self.mean),
            ("Spread", self.std),
            ("Pixel size", self.pixel_size),
        ):
            form.addRow(label, field)
            if field is not self.weights:
                self._of_checkpoints.append(field)
        column = QVBoxLayout(self)
        column.addWidget(note(_EXPLANATION))
        column.addLayout(form)
        column.addWidget(self.message)
        column.addWidget(self.buttons)
        self.resize(620, self.sizeHint().height())

    def _suggest_name(self, path: Path) -> None:
        if not self.name.text() and not is_package(path):
            self.name.setText(path.stem)

    def _ask_what_is_needed(self, weights: str) -> None:
        for field in self._of_checkpoints:
            field.setEnabled(not is_package(weights.strip()))

    def _start(self) -> None:
        try:
            request = self.request()
        except UserError as error:
            self.message.setText(str(error))
            return
        self._wait(True)
        self.message.setText("Importing…")
        self._importer.start(request)

    def _on_ended(self, imported: Imported) -> None:
        self._wait(False)
        self.message.setText(imported.error)
        if imported.folder is not None:
            self.accept()

    def _wait(self, waiting: bool) -> None:
        if self.ok is not None:
            self.ok.setEnabled(not waiting)


class _FileField(QWidget):
    """A path, and a button to look for it."""

    chosen = Signal(object)
    """A file was chosen; its path."""

    def __init__(self, what: str, kinds: str) -> None:
        super().__init__()
        self._what, self._kinds = what, kinds
        self.path = QLineEdit()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.path, 1)
        row.addWidget(button("Browse…", f"{what}: look for the file", self._ask))

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._what, "", self._kinds)
        if path:
            self.path.setText(path)
            self.chosen.emit(Path(path))


class _PixelSize(QWidget):
    """The side of a pixel in training, if it is known."""

    def __init__(self, image: PyramidImage | None) -> None:
        super().__init__()
        self.side = QDoubleSpinBox()
        self.side.setDecimals(4)
        self.side.setRange(0, 1e4)
        self.side.setSpecialValueText("not known")
        self.unit = QComboBox()
        for text, unit in (("µm", "um"), ("m", "m")):
            self.unit.addItem(text, unit)
        if image is not None and image.pixel_size is not None:
            self.unit.setCurrentIndex(max(self.unit.findData(image.unit), 0))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.side, 1)
        row.addWidget(self.unit)

    def value(self) -> tuple[float | None, str | None]:
        """Side and unit; None and None where it is not known."""
        side = self.side.value()
        return (side, str(self.unit.currentData())) if side > 0 else (None, None)


def _names(field: QLineEdit, what: str) -> tuple[str, ...]:
    names = _parts(field)
    if not names:
        raise UserError(f"Name the {what}, in order, with commas between them.")
    return names


def _numbers(field: QLineEdit, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _parts(field))
    except ValueError as error:
        raise UserError(
            f"{what} is {field.text()!r}; write numbers with commas between them."
        ) from error


def _parts(field: QLineEdit) -> tuple[str, ...]:
    return tuple(part.strip() for part in field.text().split(",") if part.strip())
