"""What the causal check of the context claims to do."""

from __future__ import annotations

import pytest
import torch

from relay_tokens import UserError, context_dependence
from tests.relay_tokens.tiny import crop_pair, tiny_model

KINDS = pytest.mark.parametrize("kind", ["vit", "swin"])
EXCHANGES = pytest.mark.parametrize("exchange", ["sequential", "mean"])


@KINDS
@pytest.mark.parametrize("cut", [False, True])
def test_a_model_without_relay_tokens_owes_nothing_to_its_context(kind, cut):
    dependence = context_dependence(tiny_model(kind, num_relay_tokens=0), *crop_pair(), cut=cut)
    assert not dependence.changed.any()
    assert not dependence.probability_change.any()


def test_a_single_scale_model_owes_nothing_to_its_context():
    model = tiny_model("vit", context_factor=None)
    assert not context_dependence(model, crop_pair()[0], None).changed.any()


@KINDS
@EXCHANGES
def test_the_changed_pixels_are_those_of_two_runs_compared(kind, exchange):
    model = tiny_model(kind, exchange=exchange)
    local, global_ = crop_pair()
    other = global_.flip(3) * 3
    dependence = context_dependence(model, local, global_, other)
    with torch.inference_mode():
        before = model(local, global_).local_logits.softmax(1)
        after = model(local, other).local_logits.softmax(1)
    assert torch.equal(dependence.before, before.argmax(1))
    assert torch.equal(dependence.after, after.argmax(1))
    assert torch.equal(dependence.changed, before.argmax(1) != after.argmax(1))
    assert kind == "swin" or 0 < dependence.changed.sum() < dependence.changed.numel()
    assert dependence.probability_change.any()
    lost = before.max(1).values - after.gather(1, before.argmax(1, keepdim=True))[:, 0]
    torch.testing.assert_close(dependence.probability_change, -lost)


def test_without_another_global_crop_the_context_is_blanked():
    model, (local, global_) = tiny_model("vit"), crop_pair()
    blank = context_dependence(model, local, global_)
    zeros = context_dependence(model, local, global_, torch.zeros_like(global_))
    assert torch.equal(blank.after, zeros.after)
    assert torch.equal(blank.probability_change, zeros.probability_change)


@KINDS
@EXCHANGES
def test_with_the_global_reading_cut_no_global_crop_makes_a_difference(kind, exchange):
    model, (local, global_) = tiny_model(kind, exchange=exchange), crop_pair()
    with torch.inference_mode():
        whole = model(local, global_).local_logits
        cut = model(local, global_, global_reading=False).local_logits
        cut_elsewhere = model(local, global_ + 1, global_reading=False).local_logits
    assert torch.equal(cut, cut_elsewhere)
    assert not torch.allclose(whole, cut)


@EXCHANGES
def test_a_cut_leaves_the_relay_tokens_to_the_local_branch(exchange):
    # The tokens still read and are read in the local crop: that part stays.
    model, (local, global_) = tiny_model("vit", exchange=exchange), crop_pair()
    with torch.inference_mode():
        cut = model(local, global_, True, global_reading=False)
        without = tiny_model("vit", exchange=exchange, num_relay_tokens=0)(local, global_)
    assert cut.attention.local.patch_to_relay[0].min() > 0
    assert not torch.allclose(cut.local_logits, without.local_logits)


def test_the_context_dependence_of_a_cut_is_that_of_two_runs_compared():
    model, (local, global_) = tiny_model("vit"), crop_pair()
    dependence = context_dependence(model, local, global_, cut=True)
    with torch.inference_mode():
        before = model(local, global_).local_logits.argmax(1)
        after = model(local, global_, global_reading=False).local_logits.argmax(1)
    assert torch.equal(dependence.changed, before != after)
    assert dependence.changed.any()


def test_a_model_in_training_mode_is_refused():
    with pytest.raises(UserError, match=r"model\.eval\(\)"):
        context_dependence(tiny_model("vit").train(), *crop_pair())


def test_a_cut_and_another_crop_together_are_refused():
    local, global_ = crop_pair()
    with pytest.raises(UserError, match="not both"):
        context_dependence(tiny_model("vit"), local, global_, global_, cut=True)
