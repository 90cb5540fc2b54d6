"""What a BioImage.IO package says of a model; ``model 0.5`` of their specification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_letters, digits
from textwrap import shorten
from typing import Any

from napari_relay import __version__
from napari_relay.exporting.models.options import ModelExportOptions
from napari_relay.exporting.models.sample_crops import InputScaling
from napari_relay.exporting.models.usage import beforehand
from relay_tokens import Checkpoint, ModelMetadata
from relay_tokens.interchange.onnx_file import OPSET

Description = dict[str, Any]
"""A part of the description, as YAML holds it."""

PAPER = {
    "text": "Perron, Sydorov, Pottier, Landrieu: Adapting Vision Transformers to Ultra-High "
    "Resolution Semantic Segmentation with Relay Tokens. TMLR 2026.",
    "doi": "10.48550/arXiv.2601.05927",
}
INPUT_IDS = ("local_crop", "global_crop")
"""Names of the inputs, in the order of the graph's; ``global`` is a word of Python."""
OUTPUT_IDS = ("local_probabilities", "global_probabilities")
"""Names of the outputs, in the order of the graph's."""
_SHORTEST_NAME, _LONGEST_TEXT = 5, 1000
_UNITS = {"um": "micrometer", "m": "meter"}


def describe_package(
    checkpoint: Checkpoint, files: dict[str, Path], options: ModelExportOptions
) -> Description:
    """Everything that the package's ``bioimageio.yaml`` says.

    Parameters
    ----------
    checkpoint
        The model.
    files
        ``weights``, ``card``, ``cover``, and by its name each tensor of the test;
        those that begin with ``attached`` are attached.
    options
        Authors and licence.
    """
    metadata, config = checkpoint.metadata, checkpoint.model.config
    record = metadata.training
    return {
        "type": "model",
        "format_version": "0.5.12",
        "name": _package_name(metadata.name),
        "description": shorten(
            f"{config.backbone} with relay tokens; segments {', '.join(metadata.bands)} images "
            f"into {', '.join(metadata.classes.names)}.",
            _LONGEST_TEXT,
        ),
        "authors": [{"name": author} for author in options.authors],
        "cite": [PAPER],
        "license": _licence(options.licence or record.get("licence")),
        "tags": ["semantic-segmentation", "relay-tokens", "napari-relay", "2d", "pytorch"],
        "documentation": {"source": str(files["card"])},
        "covers": [{"source": str(files["cover"])}],
        "attachments": [
            {"source": str(file)} for name, file in files.items() if name.startswith("attached")
        ],
        "inputs": _inputs(checkpoint, files),
        "outputs": _outputs(checkpoint, files),
        "weights": {"onnx": {"source": str(files["weights"]), "opset_version": OPSET}},
        "config": {
            "napari_relay": {"version": __version__, "read_with": "relay_tokens.load_model"}
        },
    }


def _package_name(name: str) -> str:
    """The specification allows 5 to 128 letters, digits, spaces and ``_+-()``."""
    allowed = ascii_letters + digits + "_+- ()"
    name = "".join(c if c in allowed else "-" for c in name)[:128]
    return name if len(name) >= _SHORTEST_NAME else f"{name} model"


def _licence(name: object) -> str | None:
    """An SPDX identifier, if it is one that the specification knows."""
    from bioimageio.spec._internal.license_id import LicenseId
    from pydantic import TypeAdapter, ValidationError

    try:
        return str(TypeAdapter(LicenseId).validate_python(name))
    except ValidationError:
        return None


def _inputs(checkpoint: Checkpoint, files: dict[str, Path]) -> list[Description]:
    metadata, factor = checkpoint.metadata, checkpoint.model.config.context_factor
    what = {
        "local_crop": "Local crop, at full resolution.",
        "global_crop": f"Global crop: {factor} times wider around the same middle, averaged down.",
    }
    more = " Some bands are prepared first: see the documentation." if beforehand(metadata) else ""
    names = INPUT_IDS[:1] if factor is None else INPUT_IDS
    return [
        {
            "id": name,
            "description": what[name] + more,
            "axes": _axes(checkpoint, metadata.bands, factor or 1 if name == "global_crop" else 1),
            "test_tensor": {"source": str(files[name])},
            "data": {"type": "float32"},
            "preprocessing": [_scaling(metadata)],
        }
        for name in names
    ]


def _outputs(checkpoint: Checkpoint, files: dict[str, Path]) -> list[Description]:
    config = checkpoint.model.config
    names = OUTPUT_IDS[:1] if config.is_single_scale else OUTPUT_IDS
    what = {
        "local_probabilities": "Probability of each class over the local crop.",
        "global_probabilities": "Probability of each class over the global crop.",
    }
    factors = {"local_probabilities": 1, "global_probabilities": config.context_factor or 1}
    classes = checkpoint.metadata.classes.names
    return [
        {
            "id": name,
            "description": what[name],
            "axes": _axes(checkpoint, classes, factors[name]),
            "test_tensor": {"source": str(files[name])},
            "data": {"type": "float32", "range": [0.0, 1.0]},
            "postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}],
        }
        for name in names
    ]


def _axes(checkpoint: Checkpoint, channels: Sequence[str], factor: int) -> list[Description]:
    """Batch, channel, y, x, the last two with the size of a pixel where it is known."""
    metadata, unit = checkpoint.metadata, _UNITS.get(checkpoint.metadata.unit or "")
    space: Description = {"type": "space", "size": checkpoint.model.config.crop_size}
    if metadata.pixel_size is not None and unit is not None:
        space = {**space, "unit": unit, "scale": metadata.pixel_size * factor}
    return [
        {"type": "batch"},
        {"type": "channel", "channel_names": list(channels)},
        {**space, "id": "y"},
        {**space, "id": "x"},
    ]


def _scaling(metadata: ModelMetadata) -> Description:
    scaling = InputScaling.of(metadata)
    values = {"mean": list(scaling.mean), "std": list(scaling.std), "axis": "channel"}
    return {"id": "fixed_zero_mean_unit_variance", "kwargs": values}
