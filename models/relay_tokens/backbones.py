"""timm backbones by name."""

from __future__ import annotations

from pathlib import Path

import timm
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer

from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.swin import SwinRelayBackbone
from relay_tokens.vit import ViTRelayBackbone


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
        Unknown or unsupported backbone, or weights that cannot be had.
    """
    model = _create(config, pretrained)
    if isinstance(model, VisionTransformer):
        return ViTRelayBackbone(config, model)
    if isinstance(model, SwinTransformerV2):
        return SwinRelayBackbone(config, model)
    raise UserError(
        f"Backbone {config.backbone} is a {type(model).__name__}; "
        "choose a timm Vision Transformer (vit_*) or Swin Transformer V2 (swinv2_*)."
    )


def _create(config: RelayConfig, pretrained: bool | Path) -> object:
    if not timm.is_model(config.backbone):
        close = ", ".join(timm.list_models(f"*{config.backbone.split('_')[0]}*")[:5])
        raise UserError(
            f"timm knows no backbone {config.backbone!r}; names like it: {close or 'none'}."
        )
    overlay = {"file": str(pretrained)} if isinstance(pretrained, Path) else None
    try:
        return timm.create_model(
            config.backbone,
            pretrained=bool(pretrained),
            pretrained_cfg_overlay=overlay,
            num_classes=0,
            in_chans=config.in_channels,
            img_size=config.crop_size,
            **config.backbone_options,
        )
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise UserError(
            f"The pretrained weights of {config.backbone} cannot be loaded ({error}); "
            "give the path of a downloaded weights file instead, or train without them."
        ) from error
    except (AssertionError, TypeError, ValueError) as error:
        raise UserError(
            f"Backbone {config.backbone} does not fit crop_size {config.crop_size} "
            f"and its options {dict(config.backbone_options)}: {error}."
        ) from error
