"""Models from elsewhere, kept as models of this package: the authors' and packages."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from napari_relay.folders import data_folder
from relay_tokens import (
    ClassSchema,
    ModelMetadata,
    RelaySegmenter,
    UserError,
    import_checkpoint,
    load_checkpoint,
    save_checkpoint,
    zoo_names,
)
from relay_tokens.interchange import unpack_package


@dataclass(frozen=True)
class ImportRequest:
    """A checkpoint, and what its file does not tell."""

    weights: Path
    """A ``.safetensors``, a Lightning ``.ckpt`` or a ``.pth``."""
    settings: Path
    """The run's Hydra ``config.yaml``, or a ``.json``."""
    name: str
    """What the model shall be called."""
    classes: tuple[str, ...]
    """Names of its output channels, in order."""
    bands: tuple[str, ...]
    """Names of its input channels, in order."""
    mean: tuple[float, ...] = ()
    """Mean of each band in the training data; empty: every image's own mean and spread are used."""
    std: tuple[float, ...] = ()
    """Spread of each band in the training data; empty with :attr:`mean`."""
    pixel_size: float | None = None
    """Side of a pixel the model was trained at, in :attr:`unit`; None: not known."""
    unit: str | None = None
    """``"um"`` or ``"m"``."""


def imported_models() -> tuple[Path, ...]:
    """Folders of the imported models, by name."""
    return tuple(sorted(path.parent for path in _models_folder().glob("*/config.json")))


def import_model(request: ImportRequest) -> Path:
    """Read a checkpoint of the authors' code and keep it as a model.

    Returns
    -------
    Path
        The model's folder, in :func:`napari_relay.folders.data_folder`.

    Raises
    ------
    UserError
        When a file cannot be read, something is missing or contradicts the
        weights, the name is taken, or the disk is full; nothing is left then.
    """
    folder = _new_folder(request.name)
    model = import_checkpoint(request.weights, request.settings)
    _check_counts(request, model)
    save_checkpoint(folder, model, _metadata(request))
    return folder


def import_package(package: Path) -> Path:
    """Keep the model of a BioImage.IO package that was exported by this program.

    Returns
    -------
    Path
        The model's folder, named as the model is.

    Raises
    ------
    UserError
        When it cannot be read, holds another kind of model, the name is taken, or
        the disk is full; nothing is left then.
    """
    models = _models_folder()
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".") as name:
            scratch = Path(name) / "model"
            scratch.mkdir()
            unpack_package(package, scratch)
            folder = _new_folder(load_checkpoint(scratch).metadata.name)
            scratch.replace(folder)
    except OSError as error:
        raise UserError(
            f"The model cannot be kept in {models} ({error.strerror or error}); make room there."
        ) from error
    return folder


def _models_folder() -> Path:
    return data_folder() / "models"


def _new_folder(name: str) -> Path:
    if not re.fullmatch(r"[\w][\w .+-]*", name):
        raise UserError(
            f"{name!r} cannot be a model's name; use letters, digits, spaces, dots and hyphens."
        )
    folder = _models_folder() / name
    if name in zoo_names() or folder.exists():
        raise UserError(f"There is a model {name} already; choose another name.")
    return folder


def _check_counts(request: ImportRequest, model: RelaySegmenter) -> None:
    config, file = model.config, request.weights.name
    for what, named, expected in (
        ("classes", len(request.classes), config.num_classes),
        ("bands", len(request.bands), config.in_channels),
    ):
        if named != expected:
            raise UserError(
                f"{file} has {expected} {what} and {named} are named; name them all, in order."
            )
    if not len(request.mean) == len(request.std) in (0, config.in_channels):
        raise UserError(
            f"{file} has {config.in_channels} bands; give a mean and a spread for each, or none."
        )


def _metadata(request: ImportRequest) -> ModelMetadata:
    count = len(request.bands)
    return ModelMetadata(
        request.name,
        ClassSchema.from_names(request.classes),
        request.bands,
        request.mean or (0.0,) * count,
        request.std or (1.0,) * count,
        normalization="fixed" if request.mean else "image",
        pixel_size=request.pixel_size,
        unit=request.unit if request.pixel_size is not None else None,
        training={"imported_from": request.weights.name},
    )
