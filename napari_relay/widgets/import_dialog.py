"""What a file of classes says, and what of it becomes corrections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_relay.images import PyramidImage
from napari_relay.training.imported import (
    ImportedFile,
    ImportedLabels,
    ImportProgress,
    ImportSummary,
    open_import,
)
from napari_relay.widgets.class_table import ClassTable
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.sections.section import note
from relay_tokens import ClassSchema, UserError

READING = "Reading the file"
_SIZE = (620, 480)
_STEPS = 1000


class _Refused(NamedTuple):
    """Why a file cannot be imported."""

    sentence: str


class ImportDialog(QDialog):
    """Reads a file in a worker, shows what it says, and asks what its classes mean.

    Parameters
    ----------
    path
        A mask or a vector file.
    image
        What it is laid over.
    schema
        The classes of the corrections.
    jobs
        Runs the reading.
    """

    chosen = Signal(object)
    """An :class:`ImportedLabels` that is to be painted."""

    def __init__(
        self,
        path: Path,
        image: PyramidImage,
        schema: ClassSchema,
        jobs: JobRunner,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._path, self._image, self._schema, self._jobs = path, image, schema, jobs
        self._file: ImportedFile | None = None
        self.setWindowTitle(f"Import {path.name}")
        self.resize(*_SIZE)
        self.placed, self.notes, self.waits = note(), note(), note()
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setFormat("Reading the file: %p%")
        self.column = QComboBox()
        self.column.setAccessibleName("Column that says the class")
        self.column.activated.connect(self._on_column)
        self.table = ClassTable(schema)
        self.table.changed.connect(self._tell)
        self._buttons()
        self._lay_out()
        jobs.advanced.connect(self._on_advanced)
        self.finished.connect(lambda _result: jobs.cancel())
        self._read(None)

    def _buttons(self) -> None:
        self.buttons = QDialogButtonBox()
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)  # Return means Import, whatever had the focus before
        self.buttons.addButton(cancel, QDialogButtonBox.ButtonRole.RejectRole)
        self.take = QPushButton("Import")
        self.buttons.addButton(self.take, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.take.setDefault(True)

    def _lay_out(self) -> None:
        area = QScrollArea()
        area.setWidget(self.table)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the table's choices take it
        self._column_row = QWidget()
        row = QHBoxLayout(self._column_row)
        row.setContentsMargins(0, 0, 0, 0)
        label = QLabel("C&lass is in the column")
        label.setBuddy(self.column)
        row.addWidget(label)
        row.addWidget(self.column, 1)
        self._column_row.hide()
        whole = QVBoxLayout(self)
        whole.setSpacing(8)
        for widget in (self.placed, self._column_row, self.bar):
            whole.addWidget(widget)
        whole.addWidget(area, 1)
        for widget in (self.notes, self.waits, self.buttons):
            whole.addWidget(widget)

    @property
    def reading(self) -> bool:
        """Whether the file is still being looked through."""
        return self.bar.isVisibleTo(self)

    def accept(self) -> None:
        """Have it painted as it is chosen."""
        if self._file is None or self.reading or self.table.missing:
            return
        labels = ImportedLabels(self._file, self.table.mapping)
        super().accept()
        self.chosen.emit(labels)

    # --- reading

    def _read(self, column: str | None) -> None:
        path, image, schema = self._path, self._image, self._schema

        def read() -> Iterator[ImportedFile | ImportProgress | _Refused]:
            try:
                file = open_import(path, image, schema, column)
                yield file
                yield from file.survey()
            except UserError as error:
                yield _Refused(str(error))

        self._file = None
        self.table.show_classes((), "")
        self.notes.clear()
        self.bar.setValue(0)
        self.bar.show()
        self._tell()
        self._jobs.start(READING, read)

    def _on_advanced(self, found: object) -> None:
        if isinstance(found, _Refused):
            self.bar.hide()
            self.notes.setText(found.sentence)
            self._tell()
        elif isinstance(found, ImportProgress):
            self.bar.setValue(_STEPS * found.done // max(found.total, 1))
            if found.summary is not None:
                self._show(found.summary)
        else:
            self._file = found  # type: ignore[assignment]  # nothing else is yielded
            self._show_columns(found.columns, getattr(found, "column", None))  # type: ignore[attr-defined]

    def _show_columns(self, columns: tuple[str, ...], chosen: str | None) -> None:
        self.column.clear()
        self.column.addItems(columns)
        self.column.setCurrentIndex(self.column.findText(chosen or ""))
        self._column_row.setVisible(len(columns) > 1)

    def _on_column(self, _index: int) -> None:
        self._read(self.column.currentText())

    def _show(self, summary: ImportSummary) -> None:
        self.bar.hide()
        self.placed.setText(summary.placed)
        self.notes.setText("\n".join(summary.notes))
        self.table.show_classes(summary.classes, summary.unit)
        first = next((self.table.choices[one.key] for one in self.table.missing), self.take)
        self._tell()
        first.show()  # Qt would show it later, and a window that is raised before looks elsewhere
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _tell(self) -> None:
        """Say what is still to be done before it can be imported."""
        missing, known = self.table.missing, bool(self.table.choices)
        self.take.setEnabled(known and not missing)
        titles = ", ".join(one.title for one in missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        self.waits.setText(f"Choose what {titles}{more} is imported as." if missing else "")
