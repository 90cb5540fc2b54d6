"""Tiny models with random weights that let every parameter matter."""

from __future__ import annotations

import torch

from relay_tokens import Exchange, RelayConfig, RelaySegmenter

BACKBONES = {
    "vit": ("vit_tiny_patch16_224", {"embed_dim": 48, "depth": 2, "num_heads": 3}),
    "swin": (
        "swinv2_tiny_window8_256",
        {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4},
    ),
}


def tiny_model(
    kind: str,
    *,
    exchange: Exchange = "sequential",
    context_factor: int | None = 4,
    num_relay_tokens: int = 4,
    in_channels: int = 3,
    depths: tuple[int, ...] | None = None,
) -> RelaySegmenter:
    torch.manual_seed(0)
    backbone, options = BACKBONES[kind]
    config = RelayConfig(
        backbone,
        num_classes=4,
        in_channels=in_channels,
        crop_size=64,
        context_factor=context_factor,
        num_relay_tokens=num_relay_tokens,
        exchange=exchange,
        backbone_options=options if depths is None else {**options, "depths": depths},
    )
    model = RelaySegmenter(config).eval()
    # Swin starts with its norms at zero, so that blocks do nothing: stir them.
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value), alpha=0.1)
    return model


def crop_pair(batch: int = 2, bands: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    local, global_ = torch.randn(2, batch, bands, 64, 64, generator=generator)
    return local, global_
