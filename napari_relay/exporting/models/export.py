"""Writing a model, whole or not at all, in the format of a file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from napari_relay.exporting.models.bioimageio_package import write_package
from napari_relay.exporting.models.options import ModelExportOptions
from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.whole import whole_file
from relay_tokens import Checkpoint, UserError
from relay_tokens.interchange import write_onnx, write_program

Write = Callable[[Checkpoint, Path, ModelExportOptions], None]

_WRITERS: dict[str, Write] = {
    ".onnx": lambda checkpoint, path, _: write_onnx(checkpoint, path),
    ".pt2": lambda checkpoint, path, _: write_program(checkpoint, path),
    ".zip": write_package,
}
MODEL_SUFFIXES = tuple(_WRITERS)
"""Suffixes of the formats: ONNX, torch.export, BioImage.IO package."""


def export_model(
    checkpoint: Checkpoint, path: Path, options: ModelExportOptions | None = None
) -> Iterator[ExportProgress]:
    """Write a model for other programs.

    What is written is run and compared with the model before it takes its place; a
    file that was at ``path`` stays unless all goes well.

    Parameters
    ----------
    checkpoint
        The model; left as it is.
    path
        ``.onnx``; ``.pt2`` for torch.export; ``.zip`` for a BioImage.IO package, which
        is best named ``.bioimageio.zip``.
    options
        What a package says.

    Yields
    ------
    ExportProgress
        Before the work, and after it.

    Raises
    ------
    UserError
        When the suffix is another one, a package is missing, the file cannot be
        written, or it computes other numbers than the model.
    """
    check_model_path(path)
    yield ExportProgress(path, 0, 1)
    with whole_file(path) as scratch:
        _WRITERS[path.suffix.lower()](checkpoint, scratch, options or ModelExportOptions())
    yield ExportProgress(path, 1, 1)


def check_model_path(path: Path) -> None:
    """Refuse a name of no known format, and a folder that is not there.

    Raises
    ------
    UserError
        With what to do.
    """
    if path.suffix.lower() not in _WRITERS:
        raise UserError(
            f"{path} has no suffix of a model's format; end its name in .onnx, .pt2 "
            "(torch.export) or .bioimageio.zip."
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.parent}; make it, or choose another one.")
