"""What the models to compare with claim to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from relay_tokens import (
    ClassSchema,
    ModelMetadata,
    RelayConfig,
    RelayLoss,
    RelaySegmenter,
    UserError,
    baseline_configs,
    load_checkpoint,
    save_checkpoint,
)
from relay_tokens.baselines import upsampled_centre
from tests.relay_tokens.tiny import crop_pair, tiny_model

KINDS = pytest.mark.parametrize("kind", ["vit", "swin"])
NAMES = pytest.mark.parametrize("name", ["local", "global_", "fusion"])


def _baseline(kind: str, name: str) -> RelaySegmenter:
    torch.manual_seed(0)
    configs = baseline_configs(tiny_model(kind).config)
    return RelaySegmenter(getattr(configs, name)).eval()


@KINDS
def test_each_baseline_reads_the_crops_it_is_named_for(kind):
    reads = {"local": (True, False), "global_": (False, True), "fusion": (True, True)}
    local, global_ = crop_pair()
    for name, (reads_local, reads_global) in reads.items():
        model = _baseline(kind, name)
        with torch.inference_mode():
            logits = model(local, global_).local_logits
            assert logits.shape == (2, 4, 64, 64)
            assert torch.equal(logits, model(local + 1, global_).local_logits) != reads_local
            assert torch.equal(logits, model(local, global_ + 1).local_logits) != reads_global


@KINDS
def test_fusion_adds_the_local_logits_and_the_upsampled_middle_of_the_global_ones(kind):
    model = _baseline(kind, "fusion")
    local, global_ = crop_pair()
    alone = RelaySegmenter(replace(model.config, mode="relay")).eval()
    alone.load_state_dict(model.state_dict())
    with torch.inference_mode():
        fused, apart = model(local, global_), alone(local, global_)
        middle = upsampled_centre(apart.global_logits, 4)
    torch.testing.assert_close(fused.local_logits, apart.local_logits + middle)
    torch.testing.assert_close(fused.global_logits, apart.global_logits)


def test_the_global_baseline_is_the_single_scale_one_on_the_global_crop():
    wide, near = _baseline("vit", "global_"), _baseline("vit", "local")
    wide.load_state_dict(near.state_dict())
    local, global_ = crop_pair()
    with torch.inference_mode():
        expected = upsampled_centre(near(global_).local_logits, 4)
        output = wide(local, global_)
    torch.testing.assert_close(output.local_logits, expected)
    assert output.global_logits is None


def test_a_ramp_over_the_global_crop_is_upsampled_to_a_ramp_over_the_middle():
    # Local pixel i lies at 4 * 24 + i in pixels of the local crop, so a quarter of
    # it, less the offset of the middles, in pixels of the global one.
    ramp = torch.arange(64.0).expand(1, 1, 64, 64)
    row = upsampled_centre(ramp, 4)[0, 0, 0]
    expected = (96 + torch.arange(64) + 0.5) / 4 - 0.5
    torch.testing.assert_close(row[2:-2], expected[2:-2])


@KINDS
@NAMES
def test_a_baseline_learns_from_the_same_loss_in_every_parameter(kind, name):
    model = _baseline(kind, name).train()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value), alpha=0.1)
    labels = torch.arange(2 * 64 * 64).reshape(2, 64, 64) % 4
    output = model(*crop_pair())
    terms = RelayLoss(model.config.context_factor)(output, labels)
    terms.total.backward()
    silent = [
        n for n, p in model.named_parameters() if p.numel() and (p.grad is None or not p.grad.any())
    ]
    assert silent == []
    torch.testing.assert_close(terms.local, F.cross_entropy(output.local_logits, labels))


def test_both_single_scale_baselines_minimise_the_cross_entropy_alone():
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    for name in ("local", "global_"):
        model = _baseline("vit", name)
        terms = RelayLoss(model.config.context_factor)(model(*crop_pair()), labels)
        assert terms.total == terms.local


@NAMES
def test_a_baseline_comes_back_from_disk(tmp_path, name):
    model = _baseline("vit", name)
    metadata = ModelMetadata(
        "m", ClassSchema.from_names("abcd"), ("r", "g", "b"), (0.0,) * 3, (1.0,) * 3
    )
    save_checkpoint(tmp_path / "m", model, metadata)
    back = load_checkpoint(tmp_path / "m").model
    with torch.inference_mode():
        expected, got = model(*crop_pair()), back(*crop_pair())
    assert torch.equal(expected.local_logits, got.local_logits)


def test_a_baseline_of_the_global_crop_asks_for_it():
    with pytest.raises(UserError, match="global crop"):
        _baseline("vit", "global_")(crop_pair()[0])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"mode": "both"}, "mode"),
        ({"mode": "fusion"}, "num_relay_tokens is 4; it must be 0"),
        ({"mode": "global", "num_relay_tokens": 0, "context_factor": None}, "context_factor"),
    ],
)
def test_a_baseline_that_cannot_be_names_the_field(values, field):
    with pytest.raises(UserError, match=field):
        RelayConfig("vit_tiny_patch16_224", 2, **values)


def test_a_single_scale_model_has_no_baselines():
    with pytest.raises(UserError, match="context_factor"):
        baseline_configs(tiny_model("vit", context_factor=None).config)
