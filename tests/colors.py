"""A picture whose classes are its colours, and a tiny untrained model for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import torch

from relay_tokens import (
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    RelayConfig,
    RelaySegmenter,
    save_checkpoint,
)

CLASSES = ClassSchema.from_names(["dark", "light", "red"])
COLORS = np.array([[40, 40, 40], [220, 220, 220], [200, 40, 40]])
CROP = 64


def write_picture(path: Path, rows: int = 160, cols: int = 200) -> Path:
    """Three stripes of one colour each, with 0.5 µm pixels, as a tiled TIFF."""
    classes = np.arange(cols)[None, :] * 3 // cols
    noise = np.random.default_rng(0).normal(0, 8, (rows, cols, 3))
    pixels = np.clip(COLORS[classes] + noise, 0, 255).astype(np.uint8)
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        tile=(64, 64),
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )
    return path


def untrained(name: str = "colors") -> Checkpoint:
    """Random weights, for three bands and three classes."""
    torch.manual_seed(0)
    config = RelayConfig(
        "vit_tiny_patch16_224",
        num_classes=3,
        crop_size=CROP,
        context_factor=2,
        backbone_options={"embed_dim": 48, "depth": 2, "num_heads": 3},
    )
    metadata = ModelMetadata(
        name,
        CLASSES,
        ("red", "green", "blue"),
        (120.0,) * 3,
        (80.0,) * 3,
        pixel_size=0.5,
        unit="um",
    )
    return Checkpoint(RelaySegmenter(config).eval(), metadata)


def save_untrained(folder: Path) -> Path:
    """Write :func:`untrained` as a model's folder."""
    checkpoint = untrained()
    save_checkpoint(folder, checkpoint.model, checkpoint.metadata)
    return folder
