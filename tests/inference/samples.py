"""Tiny images and models for these tests."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import dask.array as da
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_relay.images.pyramid import PyramidImage
from relay_tokens import (
    BranchAttention,
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    RelayAttention,
    RelayConfig,
    RelayOutput,
    RelaySegmenter,
)


def make_image(pixels: NDArray[np.generic], num_levels: int = 3, **fields: object) -> PyramidImage:
    """A pyramid of block means over ``pixels (y, x, band)``."""
    levels = [pixels]
    for _ in range(num_levels - 1):
        last = levels[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2].astype(np.float64)
        if not even.size:
            break
        rows, cols = even.shape[0] // 2, even.shape[1] // 2
        mean = even.reshape(rows, 2, cols, 2, -1).mean(axis=(1, 3))
        levels.append(mean.astype(pixels.dtype))
    known = {"source": Path("sample.tif"), "bands": tuple("abcdef"[: pixels.shape[2]])}
    return PyramidImage(
        levels=tuple(da.from_array(level, chunks=(64, 64, -1)) for level in levels),
        factors=tuple(float(2**k) for k in range(len(levels))),
        **{**known, **fields},
    )


def noise(height: int, width: int, bands: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, bands))
    fine = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return np.clip(fine + rng.integers(-20, 20, fine.shape), 0, 255).astype(np.uint8)


def make_metadata(bands: int, classes: int, **fields: object) -> ModelMetadata:
    known = {"mean": (0.0,) * bands, "std": (1.0,) * bands}
    return ModelMetadata(
        name="tiny",
        classes=ClassSchema.from_names([f"class {i}" for i in range(classes)]),
        bands=tuple("abcdef"[:bands]),
        **{**known, **fields},
    )


def tiny_relay(seed: int = 0, classes: int = 3, **fields: object) -> Checkpoint:
    """A real model with random weights and crops of 64 px."""
    torch.manual_seed(seed)
    config = RelayConfig(
        backbone="vit_tiny_patch16_224",
        num_classes=classes,
        crop_size=64,
        backbone_options={"embed_dim": 48, "depth": 2, "num_heads": 3},
        **fields,
    )
    model = RelaySegmenter(config)
    with torch.no_grad():
        model.head.weight.normal_(0, 0.5)
    metadata = make_metadata(3, classes, mean=(128.0,) * 3, std=(60.0,) * 3)
    return Checkpoint(model.eval(), metadata)


def tiny_swin(seed: int = 0, classes: int = 3) -> Checkpoint:
    """As :func:`tiny_relay`, of SwinV2."""
    torch.manual_seed(seed)
    sizes = {"embed_dim": 24, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 2, 4), "window_size": 2}
    config = RelayConfig("swinv2_tiny_window8_256", classes, crop_size=64, backbone_options=sizes)
    model = RelaySegmenter(config)
    with torch.no_grad():
        model.head.weight.normal_(0, 0.5)
    metadata = make_metadata(3, classes, mean=(128.0,) * 3, std=(60.0,) * 3)
    return Checkpoint(model.eval(), metadata)


class ValueModel(nn.Module):
    """Labels every pixel with its own value; attends to patches by their mean value."""

    stride = 16

    def __init__(self, classes: int, crop_size: int = 64, tokens: int = 2) -> None:
        super().__init__()
        self.config = RelayConfig(
            backbone="none",
            num_classes=classes,
            in_channels=1,
            crop_size=crop_size,
            num_relay_tokens=tokens,
        )
        self.attention_strides = (16, 16, 32)
        self.calls: list[int] = []

    def forward(self, local: Tensor, global_: Tensor, record_attention: bool) -> RelayOutput:
        self.calls.append(len(local))
        classes = torch.arange(self.config.num_classes)[None, :, None, None]
        logits = -((local - classes) ** 2) * 50
        attention = RelayAttention(self._seen(local), self._seen(global_))
        return RelayOutput(logits, None, attention if record_attention else None)

    def _seen(self, crop: Tensor) -> BranchAttention:
        maps = []
        for stride in self.attention_strides:
            mean = nn.functional.avg_pool2d(crop, stride)
            maps.append(mean[:, :, None].repeat(1, 3, self.config.num_relay_tokens, 1, 1))
        return BranchAttention(tuple(maps), tuple(m + 1 for m in maps))


def value_checkpoint(classes: int = 5, **fields: object) -> Checkpoint:
    model = cast(RelaySegmenter, ValueModel(classes, **fields))
    return Checkpoint(model, make_metadata(1, classes))


def value_image(height: int, width: int, classes: int = 5, seed: int = 0) -> PyramidImage:
    rng = np.random.default_rng(seed)
    return make_image(rng.integers(0, classes, (height, width, 1)).astype(np.uint8))
