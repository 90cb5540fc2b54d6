"""Tiles of its training data that a model ships with, so that it can be reminded of them.

The file :data:`~relay_tokens.checkpoint.BASE_TILES` beside a model's weights is a compressed
``npz`` of these arrays:

========== ================== =====================================================
``format``  int                2
``local``   ``(bytes,)`` uint8: local crops as the model sees them (normalised), as one
                               grey JPEG XL picture of ``N * band * S`` rows; a value is
                               ``range[..., 0] + byte * range[..., 1]``
``local_range``  ``(N, band, 2)`` float32: lowest value and step of each band
``wide``, ``wide_range``       the same of the global crops; none in a model of one crop
``labels``  ``(N, S, S)`` uint8: true class; 255 where there is none
``weight``  ``(N,)`` float32:  0: to be learnt; else to be measured on, and how many of the
                               held-out windows it stands for
========== ================== =====================================================
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_relay.inference import CropPair
from napari_relay.training.examples import Example
from relay_tokens import IGNORE_INDEX, RelayConfig, UserError

FORMAT = 2
DISTANCE = 1.0
"""Of JPEG XL (Butteraugli; 1: no difference to be seen): a quarter of what lossless takes."""

_UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, imagecodecs.JpegxlError
)  # fmt: skip


class _Bytes(NamedTuple):
    """Crops as bytes."""

    crops: NDArray[np.uint8]
    """``(N, band, S, S)``."""
    range: NDArray[np.float32]
    """``(N, band, 2)``: lowest value and step."""


@dataclass(frozen=True)
class BaseTiles:
    """Examples of the data a model was trained on."""

    learnt: tuple[Example, ...]
    """May be rehearsed."""
    measured: tuple[Example, ...]
    """Only measured on; of what was held out from the training."""
    weights: tuple[float, ...]
    """How many held-out windows each measured one stands for."""


NO_TILES = BaseTiles((), (), ())


def write_base_tiles(path: Path, tiles: BaseTiles) -> None:
    """Write tiles into a file, in one step.

    Parameters
    ----------
    path
        Beside the weights of a model.
    tiles
        At least one.
    """
    examples = [*tiles.learnt, *tiles.measured]
    local = _to_bytes(np.stack([e.crops.local for e in examples]))
    arrays: dict[str, NDArray[np.generic]] = {
        "format": np.array(FORMAT),
        "local": _packed(local.crops),
        "local_range": local.range,
        "labels": np.stack([e.labels for e in examples]),
        "weight": np.array([0.0] * len(tiles.learnt) + list(tiles.weights), np.float32),
    }
    wide = [e.crops.global_ for e in examples if e.crops.global_ is not None]
    if wide:
        crops, arrays["wide_range"] = _to_bytes(np.stack(wide))
        arrays["wide"] = _packed(crops)
    scratch = path.with_name(path.name + ".part")
    with scratch.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    scratch.replace(path)


def read_base_tiles(path: Path | None, config: RelayConfig) -> BaseTiles:
    """Read the tiles of a model; none where there is no file.

    Parameters
    ----------
    path
        What :func:`write_base_tiles` wrote.
    config
        The model's.

    Raises
    ------
    UserError
        When the file is damaged, or another model's.
    """
    if path is None or not path.exists():
        return NO_TILES
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _tiles(arrays, config)
    except _UNREADABLE as error:
        raise UserError(
            f"{path} does not hold tiles of this model's training data ({error}); "
            "copy the model's folder again, or delete this file to fine-tune without it."
        ) from error


def count_base_tiles(path: Path | None) -> int:
    """How many tiles a file has to be learnt; 0 where there is none, or none that can be read."""
    if path is None or not path.exists():
        return 0
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return int((file["weight"] == 0).sum())
    except _UNREADABLE:
        return 0


def _tiles(arrays: dict[str, NDArray[np.generic]], config: RelayConfig) -> BaseTiles:
    if int(arrays["format"]) != FORMAT:
        raise ValueError(f"format {arrays['format']} instead of {FORMAT}")
    labels = arrays["labels"].astype(np.uint8)
    if labels.shape[1:] != (config.crop_size,) * 2:
        raise ValueError(f"labels of shape {labels.shape}")
    if ((labels >= config.num_classes) & (labels != IGNORE_INDEX)).any():
        raise ValueError("labels of classes that the model does not know")
    shape = (len(labels), config.in_channels, *labels.shape[1:])
    local = _from_bytes(_unpacked(arrays["local"], shape), arrays["local_range"])
    wide: list[NDArray[np.float32] | None] = [None] * len(local)
    if config.context_factor is not None:
        wide = list(_from_bytes(_unpacked(arrays["wide"], shape), arrays["wide_range"]))
    examples = [
        Example(CropPair(a, b, np.ones(c.shape, np.bool_)), c)
        for a, b, c in zip(local, wide, labels, strict=True)
    ]
    weights = [float(weight) for weight in arrays["weight"].astype(np.float64)]
    known = list(zip(examples, weights, strict=True))
    return BaseTiles(
        tuple(example for example, weight in known if not weight),
        tuple(example for example, weight in known if weight),
        tuple(weight for weight in weights if weight),
    )


def _packed(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = crops.reshape(-1, crops.shape[-1])
    return np.frombuffer(imagecodecs.jpegxl_encode(rows, distance=DISTANCE), np.uint8)


def _unpacked(packed: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Crops of a shape; ValueError when they are of another one."""
    rows: NDArray[np.uint8] = imagecodecs.jpegxl_decode(packed.tobytes())
    return rows.reshape(shape)


def _to_bytes(crops: NDArray[np.float32]) -> _Bytes:
    """One byte a value; each band of each crop in 255 steps between its extremes."""
    lowest, highest = crops.min(axis=(2, 3)), crops.max(axis=(2, 3))
    step = np.maximum(highest - lowest, 1e-6) / 255
    scaled = (crops - lowest[..., None, None]) / step[..., None, None]
    found = np.stack([lowest, step], axis=-1).astype(np.float32)
    return _Bytes(np.rint(scaled).clip(0, 255).astype(np.uint8), found)


def _from_bytes(crops: NDArray[np.generic], found: NDArray[np.generic]) -> NDArray[np.float32]:
    lowest, step = np.moveaxis(found.astype(np.float32), -1, 0)[..., None, None]
    values: NDArray[np.float32] = lowest + crops.astype(np.float32) * step
    return values
