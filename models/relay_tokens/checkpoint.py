"""Models on disk: ``model.safetensors`` and ``config.json`` in a folder.

Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.metadata import ModelMetadata
from relay_tokens.schema import ClassSchema, SegmentationClass
from relay_tokens.segmenter import RelaySegmenter

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
BASE_TILES = "base_tiles.npz"
"""Some of the data a model was trained on, which fine-tuning reminds it of; not every
model has them."""
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A model with what one must know to use it."""

    model: RelaySegmenter
    """The model, on the CPU and in eval mode when loaded."""
    metadata: ModelMetadata
    """Classes, bands, normalisation, pixel size, training record."""
    base_tiles: Path | None = None
    """File with some of the data it was trained on, which fine-tuning reminds it of."""

    def __post_init__(self) -> None:
        config, metadata = self.model.config, self.metadata
        for field, model_value, described in (
            ("num_classes", config.num_classes, len(metadata.classes)),
            ("in_channels", config.in_channels, len(metadata.bands)),
        ):
            if model_value != described:
                raise UserError(
                    f"{metadata.name} has {field} {model_value}, but its metadata describes "
                    f"{described}; mend {CONFIG}."
                )


def save_checkpoint(
    folder: str | Path,
    model: RelaySegmenter,
    metadata: ModelMetadata,
    base_tiles: Path | None = None,
) -> None:
    """Write a model into ``folder``, each file whole or not at all.

    Parameters
    ----------
    folder
        Made if it is not there.
    model, metadata
        What is written.
    base_tiles
        File that is copied beside them, see :attr:`Checkpoint.base_tiles`; one that is
        gone is left out.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    folder = Path(folder)
    described = describe_checkpoint(Checkpoint(model, metadata))
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # save_file would make a file that only its owner may read.
            (Path(scratch) / WEIGHTS).write_bytes(save(state))
            (Path(scratch) / CONFIG).write_text(described)
            names = [WEIGHTS, CONFIG]
            if base_tiles is not None and base_tiles.exists():
                (Path(scratch) / BASE_TILES).write_bytes(base_tiles.read_bytes())
                names.insert(0, BASE_TILES)
            for name in names:
                (Path(scratch) / name).replace(folder / name)
    except OSError as error:
        raise UserError(
            f"The model cannot be written to {folder} ({error.strerror}); "
            "choose a folder that can be written, on a disk with room."
        ) from error


def describe_checkpoint(checkpoint: Checkpoint) -> str:
    """What ``config.json`` says of a model: JSON, everything but the weights."""
    document = {
        "format_version": FORMAT_VERSION,
        "model": json.loads(checkpoint.model.config.to_json()),
        "metadata": asdict(checkpoint.metadata),
    }
    return json.dumps(document, indent=2) + "\n"


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote, strictly.

    Raises
    ------
    UserError
        When a file is missing or damaged, or a field does not fit; it is named.
    """
    folder = Path(folder)
    config, metadata = _describe(folder)
    model = RelaySegmenter(config)
    _load_weights(model, folder / WEIGHTS)
    tiles = folder / BASE_TILES
    return Checkpoint(model.eval(), metadata, tiles if tiles.exists() else None)


def load_metadata(folder: str | Path) -> ModelMetadata:
    """Read only what a model is for; its weights stay on disk.

    Raises
    ------
    UserError
        When the folder holds no model, or its configuration is damaged.
    """
    return _describe(Path(folder))[1]


def _describe(folder: Path) -> tuple[RelayConfig, ModelMetadata]:
    document = _read_config(folder)
    try:
        config = RelayConfig.from_json(json.dumps(document["model"]))
        return config, _metadata(document["metadata"])
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder / CONFIG} is not a model's configuration ({error}); save the model again."
        ) from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise UserError(
            f"{folder} holds no model ({CONFIG}: {error.strerror}); "
            f"name a folder with {CONFIG} and {WEIGHTS}, or a model of the zoo."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); save the model again.") from error
    version = document.get("format_version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format_version {version!r}, this program reads {FORMAT_VERSION}; "
            "use the napari-relay that wrote it."
        )
    return dict(document)


def _metadata(values: Mapping[str, Any]) -> ModelMetadata:
    unknown = sorted(set(values) - {f.name for f in fields(ModelMetadata)})
    missing = sorted({"name", "classes", "bands", "mean", "std"} - set(values))
    if unknown or missing:
        raise UserError(
            f"The model's metadata has unknown fields {unknown} and lacks {missing}; mend it."
        )
    classes = tuple(SegmentationClass(**c) for c in values["classes"]["classes"])
    lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    lists["classes"] = ClassSchema(classes)
    return ModelMetadata(**lists)


def _load_weights(model: RelaySegmenter, path: Path) -> None:
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The weights {path} cannot be read ({error}); copy or save the model again."
        ) from error
    expected = model.state_dict()
    for name in sorted(set(expected) ^ set(state)):
        where = "lack" if name in expected else "have an unknown"
        raise UserError(f"The weights {path} {where} tensor {name}; {CONFIG} is another model's.")
    for name, value in state.items():
        if value.shape != expected[name].shape:
            raise UserError(
                f"The weights {path} hold {name} of shape {tuple(value.shape)}, {CONFIG} asks for "
                f"{tuple(expected[name].shape)}; use the two files of one model."
            )
    model.load_state_dict(state)
