"""How little relay tokens add to a backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.parameters import measure, table
from relay_tokens import RelayConfig, RelaySegmenter

DOCUMENT = Path(__file__).parents[2] / "docs" / "backbones.md"


@pytest.mark.parametrize(
    "backbone",
    [
        "vit_small_patch16_224",
        "vit_base_patch16_224",
        "swinv2_tiny_window8_256",
        "swinv2_small_window8_256",
        "swinv2_base_window8_256",
    ],
)
def test_four_relay_tokens_add_less_than_two_percent(backbone):
    assert 0 < measure(backbone).increase < 0.02


def test_the_documented_table_is_what_the_script_prints():
    assert table() in DOCUMENT.read_text()


def test_the_count_is_that_of_a_model_with_values():
    config = RelayConfig("vit_tiny_patch16_224", num_classes=2)
    model = RelaySegmenter(config).backbone
    row = measure("vit_tiny_patch16_224")
    assert sum(p.numel() for p in model.parameters()) == (
        row.single_scale + row.embeddings + row.tokens
    )
    assert model.relay_tokens.shape == torch.Size([1, 4, 192])
    assert row.tokens == 4 * 192
