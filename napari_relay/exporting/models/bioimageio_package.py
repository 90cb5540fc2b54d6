"""Models as packages of the BioImage Model Zoo."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_relay.exporting.models.cover import draw_cover
from napari_relay.exporting.models.description import (
    INPUT_IDS,
    OUTPUT_IDS,
    Description,
    describe_package,
)
from napari_relay.exporting.models.options import ModelExportOptions
from napari_relay.exporting.models.sample_crops import InputScaling, sample_crops
from napari_relay.exporting.models.usage import usage_text
from napari_relay.training.runs import CARD, save_with_card
from relay_tokens import Checkpoint, UserError
from relay_tokens.checkpoint import BASE_TILES, CONFIG, WEIGHTS
from relay_tokens.interchange import write_onnx
from relay_tokens.interchange.extra import require_packages
from relay_tokens.interchange.traced import LogitsOfCrops


def write_package(checkpoint: Checkpoint, path: Path, options: ModelExportOptions) -> None:
    """Write a BioImage.IO package: ONNX weights, tensors to test them with, card, cover.

    The files of the model's folder are attached, so that
    :func:`relay_tokens.load_model` reads the very same model back. Nothing is
    looked up in the network.

    Parameters
    ----------
    checkpoint
        The model.
    path
        Ends in ``.zip``; written over.
    options
        What the package says.

    Raises
    ------
    UserError
        When a package is missing (extra ``interchange``), the ONNX weights compute
        other numbers, or the description is refused by the specification.
    """
    require_packages("A BioImage.IO package", "bioimageio.spec", "onnx", "onnxruntime")
    if not options.training_tiles:
        checkpoint = replace(checkpoint, base_tiles=None)
    with tempfile.TemporaryDirectory() as scratch:
        files = _write_files(checkpoint, Path(scratch), options)
        _pack(describe_package(checkpoint, files, options), path)


def _write_files(
    checkpoint: Checkpoint, folder: Path, options: ModelExportOptions
) -> dict[str, Path]:
    """Write all that goes into a package, and name it as :func:`describe_package` does."""
    save_with_card(folder, checkpoint)
    with (folder / CARD).open("a", encoding="utf-8") as card:
        card.write(f"\n{usage_text(checkpoint)}")
    files = {"weights": folder / "weights.onnx", "cover": folder / "cover.png"}
    write_onnx(checkpoint, files["weights"])
    tensors = _tensors(checkpoint, sample_crops(checkpoint, options.training_tiles))
    for name, tensor in tensors.items():
        files[name] = folder / f"{name}.npy"
        np.save(files[name], tensor)
    labels = tensors[OUTPUT_IDS[0]][0].argmax(axis=0).astype(np.uint8)
    draw_cover(checkpoint, labels).save(files["cover"])
    own = (folder / name for name in (CONFIG, WEIGHTS, BASE_TILES))
    attached = {f"attached {file.name}": file for file in own if file.exists()}
    return {**files, "card": folder / CARD, **attached}


@torch.no_grad()
def _tensors(
    checkpoint: Checkpoint, crops: tuple[NDArray[np.float32], ...]
) -> dict[str, NDArray[np.float32]]:
    """Inputs before the preprocessing, and outputs after the postprocessing, by name."""
    scaling = InputScaling.of(checkpoint.metadata)
    mean, std = (torch.tensor(v)[:, None, None] for v in (scaling.mean, scaling.std))
    logits = LogitsOfCrops(checkpoint.model)(*((torch.from_numpy(c) - mean) / std for c in crops))
    soft = [values.softmax(dim=1).numpy() for values in logits]
    return {
        **dict(zip(INPUT_IDS, crops, strict=False)),
        **dict(zip(OUTPUT_IDS, soft, strict=False)),
    }


def _pack(description: Description, path: Path) -> None:
    """Check a description by its specification and pack the files that it names."""
    with _quietly():
        from bioimageio.spec import (
            InvalidDescr,
            ValidationContext,
            build_description,
            save_bioimageio_package,
        )

        # What it would check in the network are the addresses of authors and papers.
        with ValidationContext(perform_io_checks=False, update_hashes=True):
            described = build_description(description)
            if isinstance(described, InvalidDescr):
                raise UserError(_refusal(described.validation_summary.errors))
            save_bioimageio_package(described, output_path=path)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what their library says of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refusal(errors: object) -> str:
    first = next(iter(errors)) if isinstance(errors, list) and errors else None
    where = ".".join(map(str, getattr(first, "loc", ())))
    return (
        f"The model would be no valid BioImage.IO package ({where}: "
        f"{getattr(first, 'msg', 'unknown')}); mend the model's metadata, or export it as .onnx."
    )
