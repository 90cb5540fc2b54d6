"""Short names for the content of models and images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from napari_relay.images.pyramid import PyramidImage
from relay_tokens import Checkpoint

_LENGTH = 16
_PROBE = 64


def model_fingerprint(checkpoint: Checkpoint) -> str:
    """Hash of all that decides a model's predictions: weights, shape, normalisation."""
    metadata = checkpoint.metadata
    digest = hashlib.sha256(checkpoint.model.config.to_json().encode())
    digest.update(repr((metadata.mean, metadata.std, metadata.normalization)).encode())
    for name, tensor in sorted(checkpoint.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:_LENGTH]


def image_fingerprint(image: PyramidImage) -> str:
    """Hash that tells an image from others, wherever the file lies.

    It covers shape, bands, data type, the file's size (for a stack the sizes of
    all files, and the grid, which is not in them) and nine small places of the
    coarsest level; the path and the time are left out, so that an image may be
    moved. Of a synthetic image it covers what it is computed from in place of the
    file and the pixels, whose last bits another machine may compute otherwise.
    """
    if image.synthetic is not None:
        known = (image.shape, image.factors, image.bands, image.synthetic)
        return hashlib.sha256(repr(known).encode()).hexdigest()[:_LENGTH]
    sizes = [path.stat().st_size if path.is_file() else None for path in image.sources]
    described: tuple[object, ...] = (image.shape, image.factors, image.bands, image.dtype.str)
    described += (sizes, image.crs, image.affine) if image.stacked else (sizes[0],)
    digest = hashlib.sha256(repr(described).encode())
    for probe in _probes(image):
        digest.update(probe)
    return digest.hexdigest()[:_LENGTH]


def _probes(image: PyramidImage) -> Iterator[bytes]:
    level = image.levels[-1]
    for row in _positions(level.shape[0]):
        for col in _positions(level.shape[1]):
            part = level[row : row + _PROBE, col : col + _PROBE]
            yield np.ascontiguousarray(part.compute(scheduler="synchronous")).tobytes()


def _positions(length: int) -> list[int]:
    last = max(length - _PROBE, 0)
    return sorted({0, last // 2, last})
