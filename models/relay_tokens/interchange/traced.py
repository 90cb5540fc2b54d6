"""Models as graphs of tensor operations, free of this package's code."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from relay_tokens.config import RelayConfig
from relay_tokens.output import RelayOutput
from relay_tokens.segmenter import RelaySegmenter

INPUTS = ("local", "global")
"""Names of the crops; a model without context takes the first alone."""
OUTPUTS = ("local_logits", "global_logits")
"""Names of the logits; a model of one branch returns the first alone."""
BATCH = "batch"
"""Name of the one size that is free."""


class LogitsOfCrops(nn.Module):
    """A model from tensors to tensors, as graphs need it.

    Parameters
    ----------
    model
        Its weights are copied to the CPU, in single precision.
    """

    def __init__(self, model: RelaySegmenter) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(False)

    def forward(self, local: Tensor, global_: Tensor | None = None) -> tuple[Tensor, ...]:
        """``(B, band, crop, crop)`` of one crop or two to logits ``(B, class, crop, crop)``."""
        output: RelayOutput = self.model(local, global_)
        wide = output.global_logits
        return (output.local_logits,) if wide is None else (output.local_logits, wide)


def input_names(config: RelayConfig) -> tuple[str, ...]:
    """Those of :data:`INPUTS` that a model takes."""
    return INPUTS[:1] if config.context_factor is None else INPUTS


def output_names(config: RelayConfig) -> tuple[str, ...]:
    """Those of :data:`OUTPUTS` that a model returns."""
    return OUTPUTS[:1] if config.is_single_scale else OUTPUTS


def random_crops(config: RelayConfig, batch: int) -> tuple[Tensor, ...]:
    """Normalised noise, always the same: one ``(batch, band, crop, crop)`` an input."""
    generator = torch.Generator().manual_seed(batch)
    shape = (batch, config.in_channels, config.crop_size, config.crop_size)
    return tuple(torch.randn(shape, generator=generator) for _ in input_names(config))


@torch.no_grad()
def trace(model: LogitsOfCrops) -> ExportedProgram:
    """Turn a model into a graph for any number of crops at once."""
    crops = random_crops(model.model.config, batch=2)
    free = {0: Dim(BATCH, min=1)}
    return export(model, crops, dynamic_shapes=tuple(free for _ in crops))
