"""Models of this package, written as the authors' code would have saved them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relay_tokens import RelayConfig, RelaySegmenter
from relay_tokens.authors_masks import use_authors_masks


class Run(NamedTuple):
    """A model, its state dict in the authors' names, and the run's settings."""

    model: RelaySegmenter
    state: dict[str, Tensor]
    settings: dict[str, Any]


def vit_run(
    *,
    crop: int = 48,
    patch: int = 16,
    bands: int = 3,
    classes: int = 4,
    tokens: int = 4,
    factor: int = 4,
    depth: int = 2,
    width: int = 24,
    heads: int = 2,
    **options: Any,
) -> Run:
    sizes = {"patch_size": patch, "embed_dim": width, "depth": depth, "num_heads": heads}
    plain = {"class_token": False, "global_pool": "avg"}
    config = RelayConfig(
        *("vit_tiny_patch16_224", classes, bands, crop, factor, tokens, "mean"),
        backbone_options=sizes | plain | options,
    )
    model = random_model(config)
    return Run(model, authors_vit(model), _settings(config) | {"num_heads": heads})


def swin_run(
    *,
    crop: int = 64,
    bands: int = 3,
    classes: int = 4,
    tokens: int = 4,
    factor: int = 4,
    depths: tuple[int, ...] = (2, 2),
    heads: tuple[int, ...] = (2, 4),
    window: int = 4,
    **options: Any,
) -> Run:
    sizes = {"embed_dim": 16, "depths": depths, "num_heads": heads, "window_size": window}
    config = RelayConfig(
        *("swinv2_tiny_window8_256", classes, bands, crop, factor, tokens, "mean"),
        backbone_options=sizes | options,
    )
    model = random_model(config)
    use_authors_masks(model.backbone.stages)
    return Run(model, authors_swin(model), _settings(config) | {"window_size": window})


def random_model(config: RelayConfig) -> RelaySegmenter:
    torch.manual_seed(0)
    model = RelaySegmenter(config).eval()
    # Every parameter must matter: Swin's norms, for one, start at zero.
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value), alpha=0.2)
    return model


def _settings(config: RelayConfig) -> dict[str, Any]:
    return {"crop_size": config.crop_size, "context_factor": config.context_factor}


def authors_vit(model: RelaySegmenter) -> dict[str, Tensor]:
    """Part the tokens of ``model`` into the authors' start tokens and position embeddings."""
    backbone = model.backbone
    count, width = backbone.relay_tokens.shape[1:]
    state: dict[str, Tensor] = {}
    prefix = backbone.local_embedding.prefix.shape[1]
    start = torch.randn(1, prefix + count, width)
    for index, embedding in enumerate((backbone.local_embedding, backbone.global_embedding)):
        own = torch.randn(1, prefix + count, width)
        with torch.no_grad():
            embedding.prefix.copy_((start + own)[:, count:])
            backbone.relay_tokens.copy_((start + own)[:, :count])
        state[f"net.model.pos_embed.{index}"] = torch.cat([own, embedding.positions.detach()], 1)
        for name, value in embedding.patch_embed.state_dict().items():
            state[f"net.model.patch_embed.{index}.{name}"] = value
    state["net.model.reg_token"] = start[:, prefix:]
    if prefix:
        state["net.model.cls_token"] = start[:, :prefix]
    for name, value in backbone.blocks.state_dict().items():
        block, part, rest = name.split(".", 2)
        state[f"net.model.blocks.{block}.{part}.0.{rest}"] = value
    unused = {"head.weight": torch.randn(5, width), "fc_norm.weight": torch.randn(width)}
    return state | _head(model) | {f"net.model.{name}": value for name, value in unused.items()}


def authors_swin(model: RelaySegmenter) -> dict[str, Tensor]:
    backbone = model.backbone
    state: dict[str, Tensor] = {}
    if backbone.relay_tokens.shape[1]:
        state["net.model.register_token"] = backbone.relay_tokens.detach()
    for index, embedding in enumerate((backbone.local_embedding, backbone.global_embedding)):
        for name, value in embedding.state_dict().items():
            state[f"net.model.patch_embed.{index}.{name}"] = value
    for name, value in backbone.stages.state_dict().items():
        state[f"net.model.layers.{name}"] = value
    for index, layer in enumerate(backbone.relay_downsamples, start=1):
        for name, value in layer.state_dict().items():
            state[f"net.model.layers.{index}.downsample_token.{name}"] = value
    for name, value in backbone.norm.state_dict().items():
        state[f"net.model.norm.{name}"] = value
    state["net.model.head.fc.weight"] = torch.randn(5, backbone.channels)
    return state | _head(model)


def _head(model: RelaySegmenter) -> dict[str, Tensor]:
    return {f"net.seg_head.layers.0.{n}": v for n, v in model.head.state_dict().items()}


def plain_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out ``net.``, and the lists of one in a ViT's blocks."""
    pattern = r"(blocks\.\d+\.\w+)\.0\."
    return {re.sub(pattern, r"\1.", k.removeprefix("net.")): v for k, v in state.items()}
