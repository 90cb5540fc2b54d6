"""The relay-token segmentation model."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from relay_tokens.backbone import Features
from relay_tokens.backbones import build_backbone
from relay_tokens.baselines import upsampled_centre
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
        local branch and no relay tokens: the single-scale baseline. Its ``mode``
        makes it one of the other baselines.
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
        self,
        local: Tensor,
        global_: Tensor | None = None,
        record_attention: bool = False,
        global_reading: bool = True,
    ) -> RelayOutput:
        """Segment a batch of crop pairs.

        Parameters
        ----------
        local
            ``(B, band, crop_size, crop_size)``, normalised, full resolution.
        global_
            The same shape: a window ``context_factor`` times wider around the
            same middle, downsampled. Ignored by a model of the local crop alone.
        record_attention
            Whether :attr:`RelayOutput.attention` is filled.
        global_reading
            False: the relay tokens do not read the global branch, so that it
            says nothing to the local one.

        Returns
        -------
        RelayOutput
            Logits ``(B, class, crop_size, crop_size)`` of each branch.

        Raises
        ------
        UserError
            When the crops do not have the model's size or number of bands.
        """
        return self.classify(self.features(local, global_, record_attention, global_reading))

    def features(
        self,
        local: Tensor,
        global_: Tensor | None = None,
        record_attention: bool = False,
        global_reading: bool = True,
    ) -> Features:
        """What the backbone makes of a batch of crop pairs; parameters as of :meth:`forward`."""
        self._check(local, "local")
        first, second = self._crops_read(local, global_)
        features: Features = self.backbone(first, second, record_attention, global_reading)
        return features

    def classify(self, features: Features) -> RelayOutput:
        """Logits from :meth:`features`: all that the head does."""
        wide = None if features.global_ is None else self.head(features.global_)
        logits = self._local_logits(self.head(features.local), wide)
        return RelayOutput(logits, wide, features.attention)

    def _crops_read(self, local: Tensor, global_: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the first and the second branch read, if there is a second."""
        if self.config.context_factor is None:
            return local, None
        if global_ is None:
            raise UserError("This model reads two crops; give it the global crop as well.")
        self._check(global_, "global")
        return (global_, None) if self.config.mode == "global" else (local, global_)

    def _local_logits(self, first: Tensor, second: Tensor | None) -> Tensor:
        """Logits over the local crop from those of the branches."""
        factor = self.config.context_factor
        if factor is None or self.config.mode == "relay":
            return first
        if second is None:
            return upsampled_centre(first, factor)
        return first + upsampled_centre(second, factor)

    def _check(self, crop: Tensor, branch: str) -> None:
        side = self.config.crop_size
        expected = (self.config.in_channels, side, side)
        if tuple(crop.shape[1:]) != expected:
            raise UserError(
                f"The {branch} crop has shape {tuple(crop.shape[1:])}; "
                f"this model takes {expected} (band, rows, cols)."
            )
