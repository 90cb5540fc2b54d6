"""What the relay loss claims to be."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from relay_tokens import RelayLoss, RelayOutput
from relay_tokens.loss import central_logits


def _output(seed: int = 0) -> RelayOutput:
    local, global_ = torch.randn(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return RelayOutput(local.requires_grad_(), global_.requires_grad_())


def test_the_local_term_is_the_cross_entropy_of_the_labelled_pixels():
    output, labels = _output(), torch.randint(0, 3, (2, 16, 16))
    labels[:, :3] = 255
    expected = F.cross_entropy(output.local_logits, labels, ignore_index=255)
    torch.testing.assert_close(RelayLoss(4)(output, labels).local, expected)


def test_a_global_branch_that_knows_the_pooled_labels_reaches_their_entropy():
    labels = torch.zeros(1, 16, 16, dtype=torch.int64)
    labels[:, 8:] = 1
    wide = torch.full((1, 2, 16, 16), -20.0)
    wide[:, 0, :8] = wide[:, 1, 8:] = 20.0
    output = RelayOutput(torch.zeros(1, 2, 16, 16), wide)
    assert RelayLoss(4)(output, labels).global_ == pytest.approx(0, abs=1e-6)


def test_the_total_weighs_the_global_and_the_consistency_term():
    terms = RelayLoss(4, global_weight=0.5, consistency_weight=0.25)(
        _output(), torch.zeros(2, 16, 16, dtype=torch.int64)
    )
    expected = terms.local + 0.5 * terms.global_ + 0.25 * terms.consistency
    torch.testing.assert_close(terms.total, expected)


def test_a_batch_with_every_pixel_ignored_gives_zero_and_finite_gradients():
    output = _output()
    terms = RelayLoss(4)(output, torch.full((2, 16, 16), 255))
    terms.total.backward()
    assert terms.total == 0
    assert output.local_logits.grad.isfinite().all()
    assert output.global_logits.grad.isfinite().all()


def test_the_centre_of_the_global_crop_is_cut_out():
    wide = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert central_logits(wide, 4).flatten().tolist() == [27, 28, 35, 36]
