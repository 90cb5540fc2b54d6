"""Print what relay tokens add to a backbone's parameters, as a markdown table.

``python -m benchmarks.parameters``

The segmentation head is left out of the count: both models have the same, and
with many classes it would make the increase look smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch

from relay_tokens import RelayConfig, RelaySegmenter

BACKBONES = (
    "vit_small_patch16_224",
    "vit_base_patch16_224",
    "vit_small_patch16_dinov3",
    "vit_base_patch16_dinov3",
    "swinv2_tiny_window8_256",
    "swinv2_small_window8_256",
    "swinv2_base_window8_256",
    "swin_tiny_patch4_window7_224",
    "swin_small_patch4_window7_224",
    "swin_base_patch4_window7_224",
    "vit_tiny_patch16_224",
)
CROP_SIZE = 256
RELAY_TOKENS = 4


@dataclass(frozen=True)
class Row:
    """Parameters of one backbone, without the segmentation head."""

    backbone: str
    """timm's name."""
    single_scale: int
    """With the local branch only."""
    embeddings: int
    """Added: the global branch's patch and position embedding and prefix tokens."""
    tokens: int
    """Added: relay tokens, and in Swin the layers that map them to the next width."""

    @property
    def increase(self) -> float:
        """Added parameters over those of the single-scale model."""
        return (self.embeddings + self.tokens) / self.single_scale


@cache
def measure(backbone: str) -> Row:
    config = RelayConfig(
        backbone, num_classes=2, crop_size=CROP_SIZE, num_relay_tokens=RELAY_TOKENS
    )
    # The meta device: sizes without values, so that even large models are built in no time.
    with torch.device("meta"):
        relay = RelaySegmenter(config).backbone
        single = RelaySegmenter(replace(config, context_factor=None)).backbone
    total, alone = _count(relay), _count(single)
    assert relay.global_embedding is not None
    embeddings = _count(relay.global_embedding)
    return Row(backbone, alone, embeddings, total - alone - embeddings)


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def table(backbones: tuple[str, ...] = BACKBONES) -> str:
    lines = [
        "| Backbone | Single-scale | Global embedding | Relay tokens | More |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in map(measure, backbones):
        counts = f"{row.single_scale:,} | {row.embeddings:,} | {row.tokens:,}"
        lines.append(f"| `{row.backbone}` | {counts} | {row.increase:.2%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
