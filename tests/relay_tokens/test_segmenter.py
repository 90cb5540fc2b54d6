"""What a relay-token model claims to do."""

from __future__ import annotations

import pytest
import torch

from relay_tokens import RelayConfig, RelayLoss, RelaySegmenter, UserError
from tests.relay_tokens.tiny import crop_pair, tiny_model

KINDS = pytest.mark.parametrize("kind", ["vit", "swin"])
EXCHANGES = pytest.mark.parametrize("exchange", ["sequential", "mean"])


@KINDS
@EXCHANGES
def test_a_change_in_the_global_crop_alone_changes_the_local_logits(kind, exchange):
    model = tiny_model(kind, exchange=exchange)
    local, global_ = crop_pair()
    with torch.inference_mode():
        before = model(local, global_).local_logits
        after = model(local, global_ + 1).local_logits
    assert (before - after).abs().max() > 1e-4


@KINDS
@EXCHANGES
def test_without_relay_tokens_the_global_crop_says_nothing_to_the_local_branch(kind, exchange):
    model = tiny_model(kind, exchange=exchange, num_relay_tokens=0)
    local, global_ = crop_pair()
    with torch.inference_mode():
        before = model(local, global_).local_logits
        after = model(local, global_ + 1).local_logits
    assert torch.equal(before, after)


@KINDS
def test_the_local_crop_reaches_the_global_logits_only_through_relay_tokens(kind):
    local, global_ = crop_pair()
    for count, linked in ((4, True), (0, False)):
        model = tiny_model(kind, num_relay_tokens=count)
        with torch.inference_mode():
            before = model(local, global_).global_logits
            after = model(local + 1, global_).global_logits
        assert torch.equal(before, after) != linked


def test_sequential_and_mean_exchange_are_different_functions():
    local, global_ = crop_pair()
    with torch.inference_mode():
        results = [
            tiny_model("vit", exchange=e)(local, global_).local_logits
            for e in ("sequential", "mean")
        ]
    assert not torch.allclose(*results)


@KINDS
def test_inputs_are_left_unchanged(kind):
    model = tiny_model(kind)
    local, global_ = crop_pair()
    kept = local.clone(), global_.clone()
    with torch.inference_mode():
        model(local, global_, record_attention=True)
    assert torch.equal(local, kept[0])
    assert torch.equal(global_, kept[1])


@KINDS
@EXCHANGES
def test_the_order_of_a_batch_does_not_matter(kind, exchange):
    model = tiny_model(kind, exchange=exchange)
    local, global_ = crop_pair(batch=3)
    order = torch.tensor([2, 0, 1])
    with torch.inference_mode():
        whole = model(local, global_)
        shuffled = model(local[order], global_[order])
    torch.testing.assert_close(whole.local_logits[order], shuffled.local_logits)
    torch.testing.assert_close(whole.global_logits[order], shuffled.global_logits)


@KINDS
@EXCHANGES
def test_gradients_reach_every_parameter(kind, exchange):
    model = tiny_model(kind, exchange=exchange).train()
    output = model(*crop_pair())
    labels = torch.arange(2 * 64 * 64).reshape(2, 64, 64) % 4
    RelayLoss(4)(output, labels).total.backward()
    # The last relay tokens are read by nobody; in the layer that makes them
    # the parameters still serve the patches, so none may be without gradient.
    # A key's bias shifts all logits of a row alike: its gradient is rounding.
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@KINDS
def test_the_single_scale_baseline_reads_the_local_crop_only(kind):
    model = tiny_model(kind, context_factor=None)
    local, global_ = crop_pair()
    with torch.inference_mode():
        alone = model(local)
        together = model(local, global_)
    assert alone.global_logits is None
    assert torch.equal(alone.local_logits, together.local_logits)
    assert model.backbone.global_embedding is None
    assert model.backbone.relay_tokens.numel() == 0


@KINDS
def test_recording_attention_leaves_the_logits_as_they_are(kind):
    model = tiny_model(kind)
    local, global_ = crop_pair()
    with torch.inference_mode():
        plain = model(local, global_)
        recorded = model(local, global_, record_attention=True)
    torch.testing.assert_close(plain.local_logits, recorded.local_logits)
    torch.testing.assert_close(plain.global_logits, recorded.global_logits)
    assert plain.attention is None


def test_any_number_of_bands_is_read():
    model = tiny_model("vit", in_channels=7)
    with torch.inference_mode():
        output = model(*crop_pair(bands=7))
    assert output.local_logits.shape == (2, 4, 64, 64)


def test_a_crop_of_another_size_is_refused_in_one_sentence():
    local, global_ = crop_pair()
    with pytest.raises(UserError, match=r"local crop has shape \(3, 32, 64\)"):
        tiny_model("vit")(local[:, :, :32], global_)


def test_a_missing_global_crop_is_refused_in_one_sentence():
    with pytest.raises(UserError, match="global crop"):
        tiny_model("vit")(crop_pair()[0])


def test_an_unknown_backbone_is_refused_with_names_like_it():
    with pytest.raises(UserError, match=r"vit_enormous.*names like it: .*vit"):
        RelaySegmenter(RelayConfig("vit_enormous", num_classes=2))


def test_a_backbone_that_is_no_transformer_is_refused():
    with pytest.raises(UserError, match="resnet18"):
        RelaySegmenter(RelayConfig("resnet18", num_classes=2))


def test_pretrained_weights_are_read_from_a_local_file(tmp_path):
    import timm
    from safetensors.torch import save_file

    options = {"embed_dim": 48, "depth": 1, "num_heads": 3}
    torch.manual_seed(5)
    source = timm.create_model("vit_tiny_patch16_224", **options)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    config = RelayConfig("vit_tiny_patch16_224", 2, crop_size=64, backbone_options=options)
    model = RelaySegmenter(config, pretrained=tmp_path / "weights.safetensors")
    expected = source.blocks[0].attn.qkv.weight
    assert torch.equal(model.backbone.blocks[0].attn.qkv.weight, expected)


def test_pretrained_weights_that_cannot_be_had_are_one_sentence(tmp_path):
    config = RelayConfig("vit_tiny_patch16_224", 2, crop_size=64)
    with pytest.raises(UserError, match=r"vit_tiny_patch16_224 cannot be loaded.*path"):
        RelaySegmenter(config, pretrained=tmp_path / "absent.safetensors")
