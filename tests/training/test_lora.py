from __future__ import annotations

import copy

import pytest
import torch

from napari_relay.training.lora import adapt_linears, called_linears, merge_adapters
from relay_tokens import RelayConfig, RelaySegmenter
from tests.training.scenes import tiny_model

SWIN = RelayConfig(
    "swinv2_tiny_window8_256",
    num_classes=3,
    crop_size=64,
    context_factor=2,
    backbone_options={"embed_dim": 24, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4},
)


def adapted(model: RelaySegmenter) -> tuple[RelaySegmenter, list[torch.Tensor]]:
    copied = copy.deepcopy(model).eval()
    crop = torch.zeros(1, 3, 64, 64)
    return copied, adapt_linears(copied.backbone, called_linears(copied, crop, crop), rank=4)


@pytest.fixture(params=["vit", "swin"])
def model(request: pytest.FixtureRequest) -> RelaySegmenter:
    torch.manual_seed(0)
    return (tiny_model() if request.param == "vit" else RelaySegmenter(SWIN)).eval()


@torch.no_grad()
def test_adapters_change_nothing_at_first_and_merged_say_what_they_said(
    model: RelaySegmenter,
) -> None:
    crops = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    student, learning = adapted(model)
    assert torch.equal(student(*crops).local_logits, model(*crops).local_logits)
    for weight in learning:
        weight.normal_(std=0.1)
    unmerged = student(*crops).local_logits
    assert (unmerged - model(*crops).local_logits).abs().max() > 0.01
    merge_adapters(student)
    assert torch.allclose(student(*crops).local_logits, unmerged, atol=1e-5)
    assert set(student.state_dict()) == set(model.state_dict())


def test_every_adapter_gets_a_gradient(model: RelaySegmenter) -> None:
    """None sits on a layer whose weight is read past its call, where it would do nothing."""
    student, learning = adapted(model)
    with torch.no_grad():
        for weight in learning:
            weight.normal_(std=0.1)
    student(torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)).local_logits.sum().backward()
    assert learning
    missing = [weight.shape for weight in learning if weight.grad is None]
    # The global branch of the last block feeds nothing but the relay tokens and the global head.
    assert not missing
