"""timm backbones by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import timm
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer

from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.eva import EvaRelayBackbone
from relay_tokens.pretrained import load_weights
from relay_tokens.swin import SwinRelayBackbone, current_windows, fitting_windows
from relay_tokens.vit import ViTRelayBackbone

Supported = VisionTransformer | Eva | SwinTransformer | SwinTransformerV2
_MODULES = (
    "vision_transformer",
    "vision_transformer_hybrid",
    "deit",
    "eva",
    "swin_transformer",
    "swin_transformer_v2",
)


def build_backbone(config: RelayConfig, pretrained: bool | Path) -> RelayBackbone:
    """Make the two-branch backbone that ``config`` names.

    Parameters
    ----------
    config
        Its ``backbone`` is a timm name; position embeddings are resampled to
        ``crop_size`` and the first layer adapted to ``in_channels`` by timm.
    pretrained
        True: timm's weights, from its hub or cache. A path: a local
        ``.safetensors`` or ``.pth`` file of the same timm model.

    Raises
    ------
    UserError
        Unknown or unsupported backbone, a crop that it cannot be cut for, or
        weights that cannot be had or are another model's.
    """
    _require_supported(config.backbone)
    model = _create(config)
    if pretrained:
        load_weights(model, pretrained)
    backbone = _with_relay_tokens(config, model)
    _require_whole_cells(config, backbone.stride)
    return backbone


def _with_relay_tokens(config: RelayConfig, model: Supported) -> RelayBackbone:
    if isinstance(model, Eva):
        return EvaRelayBackbone(config, model)
    if isinstance(model, VisionTransformer):
        return ViTRelayBackbone(config, model)
    return SwinRelayBackbone(config, model)


def _require_supported(name: str) -> None:
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5])
        raise UserError(f"timm knows no backbone {name!r}; names like it: {close or 'none'}.")
    family = timm.model_entrypoint(name).__module__.rpartition(".")[2]
    if family not in _MODULES:
        raise UserError(
            f"Backbone {name} is of timm's family {family}, which relay tokens do not support; "
            "choose a Vision Transformer (vit_*, deit_*, deit3_*, eva02_*) or a Swin Transformer "
            "(swin_*, swinv2_* without _cr_)."
        )


def _create(config: RelayConfig) -> Supported:
    model = _create_with(config, config.backbone_options)
    if isinstance(model, SwinTransformer | SwinTransformerV2):
        windows = fitting_windows(model)
        if "window_size" not in config.backbone_options and windows != current_windows(model):
            return _create_with(config, {**config.backbone_options, "window_size": windows})
    return model


def _create_with(config: RelayConfig, options: Mapping[str, Any]) -> Supported:
    try:
        model = timm.create_model(
            config.backbone,
            num_classes=0,
            in_chans=config.in_channels,
            img_size=config.crop_size,
            # timm builds some models for crops of changing size, at a cost.
            **{**options, "dynamic_img_size": False},
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"Backbone {config.backbone} does not fit crop_size {config.crop_size} "
            f"and its options {dict(config.backbone_options)}: {error}."
        ) from error
    return cast(Supported, model)


def _require_whole_cells(config: RelayConfig, stride: int) -> None:
    """Refuse crops of which the patch grid leaves a rim out."""
    rest = config.crop_size % stride
    if rest:
        below = config.crop_size - rest
        near = " or ".join(str(size) for size in (below, below + stride) if size)
        raise UserError(
            f"crop_size {config.crop_size} is not a multiple of {stride}, the pixels that a cell "
            f"of {config.backbone} covers; choose {near}."
        )
