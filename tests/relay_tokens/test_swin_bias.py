"""Position biases are kept while they hold, and no longer."""

from __future__ import annotations

import copy

import torch

from relay_tokens import load_checkpoint, save_checkpoint
from relay_tokens.config import RelayConfig
from relay_tokens.segmenter import RelaySegmenter
from relay_tokens.swin_bias import PositionBiases, position_bias
from tests.relay_tokens.test_checkpoint import _metadata
from tests.relay_tokens.tiny import crop_pair, tiny_model


def test_a_bias_is_made_once_without_gradients() -> None:
    biases, block = PositionBiases(), tiny_model("swin").backbone.stages[0].blocks[1]
    with torch.inference_mode():
        assert biases.of(block, 4) is biases.of(block, 4)
    torch.testing.assert_close(biases.of(block, 4), position_bias(block, 4))


def test_changed_weights_make_a_new_bias() -> None:
    model = tiny_model("swin")
    with torch.inference_mode():
        before = model(*crop_pair()).local_logits
    with torch.no_grad():
        for block in model.backbone.stages[0].blocks:
            block.attn.cpb_mlp[2].weight.mul_(-3)
    with torch.inference_mode():
        after = model(*crop_pair()).local_logits
    fresh = copy.deepcopy(model)
    assert not torch.allclose(before, after)
    with torch.inference_mode():
        torch.testing.assert_close(fresh(*crop_pair()).local_logits, after, rtol=0, atol=0)


def test_training_after_a_prediction_still_reaches_the_bias() -> None:
    model = tiny_model("swin")
    with torch.inference_mode():
        model(*crop_pair())
    model(*crop_pair()).local_logits.square().mean().backward()
    assert model.backbone.stages[0].blocks[0].attn.cpb_mlp[2].weight.grad.any()


def test_a_bias_made_in_half_precision_is_not_used_in_full() -> None:
    model = tiny_model("swin")
    with torch.inference_mode():
        expected = copy.deepcopy(model)(*crop_pair()).local_logits
        with torch.autocast("cpu", torch.bfloat16):
            model(*crop_pair())
        torch.testing.assert_close(model(*crop_pair()).local_logits, expected, rtol=0, atol=0)


def test_a_mean_exchange_swin_with_padded_windows_survives_saving(tmp_path) -> None:
    torch.manual_seed(0)
    options = {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4), "window_size": 5}
    config = RelayConfig(
        "swinv2_tiny_window8_256",
        num_classes=4,
        crop_size=64,
        exchange="mean",
        backbone_options=options,
    )
    model = RelaySegmenter(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value), alpha=0.1)
    save_checkpoint(tmp_path / "m", model, _metadata())
    back = load_checkpoint(tmp_path / "m").model
    with torch.inference_mode():
        expected, got = model(*crop_pair()), back(*crop_pair())
    torch.testing.assert_close(got.local_logits, expected.local_logits, rtol=0, atol=0)
