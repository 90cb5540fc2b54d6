"""Models as ONNX files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relay_tokens.checkpoint import CONFIG, Checkpoint, describe_checkpoint
from relay_tokens.errors import UserError
from relay_tokens.interchange.extra import require_packages
from relay_tokens.interchange.sameness import require_sameness
from relay_tokens.interchange.traced import (
    BATCH,
    LogitsOfCrops,
    input_names,
    output_names,
    random_crops,
    trace,
)

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

OPSET = 20
"""Version of the operators; onnxruntime has them since 1.17."""
_LARGEST = 2 * 10**9
"""Bytes of weights that one ONNX file holds (protobuf's limit is 2 GiB)."""


def write_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write a model as an ONNX file, and compare it with the model in onnxruntime.

    Its inputs are ``local`` and ``global``, each ``(batch, band, crop, crop)`` float32,
    normalised as the metadata says; a single-scale model takes ``local`` alone. Its
    outputs are ``local_logits`` and ``global_logits``, each ``(batch, class, crop,
    crop)``. The entry ``config.json`` of its metadata describes the model.

    Parameters
    ----------
    checkpoint
        The model.
    path
        Ends in ``.onnx``; written over.

    Raises
    ------
    UserError
        When a package is missing (extra ``interchange``), the weights are too large
        for one file, or what was written does not compute the same numbers.
    """
    require_packages("An ONNX file", "onnx", "onnxscript", "onnxruntime")
    _require_room(checkpoint)
    model = LogitsOfCrops(checkpoint.model)
    program = _program(model)
    program.model.metadata_props[CONFIG] = describe_checkpoint(checkpoint)
    program.save(path)
    _require_sameness(checkpoint, model, path)


def _require_room(checkpoint: Checkpoint) -> None:
    size = sum(value.numel() for value in checkpoint.model.state_dict().values()) * 4
    if size > _LARGEST:
        raise UserError(
            f"{checkpoint.metadata.name} has {size / 1e9:.1f} GB of weights, more than an ONNX "
            "file holds; export it as .pt2."
        )


def _program(model: LogitsOfCrops) -> ONNXProgram:
    from onnxscript import optimizer

    config = model.model.config
    with warnings.catch_warnings():
        # torch's own calls of what it has deprecated itself
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
        program = torch.onnx.export(
            trace(model),
            random_crops(config, batch=2),
            input_names=input_names(config),
            output_names=output_names(config),
            opset_version=OPSET,
            dynamo=True,
            # It looks for patterns that these graphs do not have, for half a minute.
            optimize=False,
            verbose=False,
        )
    assert program is not None
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    _name_batch(program)
    return program


def _name_batch(program: ONNXProgram) -> None:
    """Give the free size a name that says what it is."""
    import onnx_ir

    graph = program.model.graph
    for value in (*graph.inputs, *graph.outputs):
        if value.shape is not None:
            value.shape = onnx_ir.Shape([BATCH, *value.shape[1:]])


def _require_sameness(checkpoint: Checkpoint, model: LogitsOfCrops, path: Path) -> None:
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    names = input_names(checkpoint.model.config)

    def run(crops: tuple[Tensor, ...]) -> list[NDArray[np.float32]]:
        given = {name: crop.numpy() for name, crop in zip(names, crops, strict=True)}
        return list(session.run(None, given))

    require_sameness(model, run, f"The ONNX file of {checkpoint.metadata.name}")
