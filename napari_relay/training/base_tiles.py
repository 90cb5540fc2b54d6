"""Tiles of its training data that a model ships with, so that it can be reminded of them.

The file :data:`~relay_tokens.checkpoint.BASE_TILES` beside a model's weights is a compressed
``npz`` of these arrays:

========== ================== =====================================================
``format``  int                1
``local``   ``(N, band, S, S)`` uint8: local crops as the model sees them (normalised),
                               a value is ``range[..., 0] + byte * range[..., 1]``
``local_range``  ``(N, band, 2)`` float32: lowest value and step of each band
``wide``, ``wide_range``       the same of the global crops; none in a model of one crop
``labels``  ``(N, S, S)`` uint8: true class; 255 where there is none
``measured`` ``(N,)`` bool: to be measured on, never learnt; from another image or
                               other blocks than those that are learnt
========== ================== =====================================================
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.inference import CropPair
from napari_relay.training.examples import Example
from relay_tokens import IGNORE_INDEX, RelayConfig, UserError

FORMAT = 1


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
    """Only measured on."""


NO_TILES = BaseTiles((), ())


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
        "local": local.crops,
        "local_range": local.range,
        "labels": np.stack([e.labels for e in examples]),
        "measured": np.arange(len(examples)) >= len(tiles.learnt),
    }
    wide = [e.crops.global_ for e in examples if e.crops.global_ is not None]
    if wide:
        arrays["wide"], arrays["wide_range"] = _to_bytes(np.stack(wide))
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
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} does not hold tiles of this model's training data ({error}); "
            "copy the model's folder again, or delete this file to fine-tune without it."
        ) from error


def _tiles(arrays: dict[str, NDArray[np.generic]], config: RelayConfig) -> BaseTiles:
    labels = arrays["labels"].astype(np.uint8)
    local = _from_bytes(arrays["local"], arrays["local_range"])
    expected = (config.in_channels, config.crop_size, config.crop_size)
    if int(arrays["format"]) != FORMAT or local.shape[1:] != expected:
        raise ValueError(f"format {arrays['format']} with crops of shape {local.shape[1:]}")
    if labels.shape != (len(local), *expected[1:]):
        raise ValueError(f"labels of shape {labels.shape}")
    if ((labels >= config.num_classes) & (labels != IGNORE_INDEX)).any():
        raise ValueError("labels of classes that the model does not know")
    wide: list[NDArray[np.float32] | None] = [None] * len(local)
    if config.context_factor is not None:
        wide = list(_from_bytes(arrays["wide"], arrays["wide_range"]))
    examples = [
        Example(CropPair(a, b, np.ones(c.shape, np.bool_)), c)
        for a, b, c in zip(local, wide, labels, strict=True)
    ]
    measured = arrays["measured"].astype(bool)
    learnt = tuple(e for e, m in zip(examples, measured, strict=True) if not m)
    return BaseTiles(learnt, tuple(e for e, m in zip(examples, measured, strict=True) if m))


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
