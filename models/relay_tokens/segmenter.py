"""The relay-token segmentation model."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from relay_tokens.backbone import Features
from relay_tokens.backbones import build_backbone
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.output import RelayOutput


class RelaySegmenter(nn.Module):
    """Segments a local crop with the help of a wider global crop.

    Perron, Sydorov, Pottier, Landrieu: "Adapting Vision Transformers to
    Ultra-High Resolution Semantic Segmentation with Relay Tokens", TMLR 2026
    (arXiv 2601.05927). Both branches share all transformer blocks and the head;
    each has its own patch and position embedding.

    Parameters
    ----------
    config
        What the model is made of. With ``context_factor=None`` it has only the
        local branch and no relay tokens: the single-scale baseline.
    pretrained
        True: timm's pretrained weights for the backbone; a path: a local file
        of them.
    """

    def __init__(self, config: RelayConfig, pretrained: bool | Path = False) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config, pretrained)
        self.head = nn.ConvTranspose2d(
            self.backbone.channels, config.num_classes, self.stride, self.stride
        )

    @property
    def stride(self) -> int:
        """Pixels a side of one cell of the last patch grid: the head's stride."""
        return self.backbone.stride

    @property
    def attention_strides(self) -> tuple[int, ...]:
        """Pixels a side of one cell of each block's patch grid."""
        return self.backbone.attention_strides

    def forward(
        self, local: Tensor, global_: Tensor | None = None, record_attention: bool = False
    ) -> RelayOutput:
        """Segment a batch of crop pairs.

        Parameters
        ----------
        local
            ``(B, band, crop_size, crop_size)``, normalised, full resolution.
        global_
            The same shape: a window ``context_factor`` times wider around the
            same middle, downsampled. Ignored by a single-scale model.
        record_attention
            Whether :attr:`RelayOutput.attention` is filled.

        Returns
        -------
        RelayOutput
            Logits ``(B, class, crop_size, crop_size)`` of each branch.

        Raises
        ------
        UserError
            When the crops do not have the model's size or number of bands.
        """
        self._check(local, "local")
        if self.config.is_single_scale:
            global_ = None
        elif global_ is None:
            raise UserError("This model reads two crops; give it the global crop as well.")
        else:
            self._check(global_, "global")
        features: Features = self.backbone(local, global_, record_attention)
        wide = None if features.global_ is None else self.head(features.global_)
        return RelayOutput(self.head(features.local), wide, features.attention)

    def _check(self, crop: Tensor, branch: str) -> None:
        side = self.config.crop_size
        expected = (self.config.in_channels, side, side)
        if tuple(crop.shape[1:]) != expected:
            raise UserError(
                f"The {branch} crop has shape {tuple(crop.shape[1:])}; "
                f"this model takes {expected} (band, rows, cols)."
            )
