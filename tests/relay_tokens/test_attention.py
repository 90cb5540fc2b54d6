"""What recorded relay attention claims to be."""

from __future__ import annotations

import pytest
import torch

from relay_tokens.attention import attend_recording
from tests.relay_tokens.tiny import crop_pair, tiny_model

KINDS = pytest.mark.parametrize("kind", ["vit", "swin"])


@pytest.mark.parametrize("marked", [slice(0, 3), slice(6, None), slice(0, 0)])
def test_rows_and_columns_are_those_of_the_full_map(marked):
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 9, 8, generator=generator)
    bias = torch.randn(1, 3, 9, 9, generator=generator)
    full = (q @ k.mT * 0.3 + bias).softmax(dim=-1)
    seen = attend_recording(q, k, v, marked, 0.3, bias)
    torch.testing.assert_close(seen.mixed, full @ v)
    torch.testing.assert_close(seen.rows, full[:, :, marked])
    torch.testing.assert_close(seen.columns, full[:, :, :, marked])


@KINDS
def test_every_block_records_both_branches_on_its_own_grid(kind):
    model = tiny_model(kind)
    with torch.inference_mode():
        attention = model(*crop_pair(), record_attention=True).attention
    grids = [64 // stride for stride in model.attention_strides]
    for branch in (attention.local, attention.global_):
        for maps in (branch.relay_to_patch, branch.patch_to_relay):
            assert [tuple(m.shape[2:]) for m in maps] == [(4, g, g) for g in grids]
            assert all(m.min() >= 0 and m.max() <= 1 for m in maps)


def test_a_relay_token_shares_one_unit_of_attention_among_patches_and_tokens():
    model = tiny_model("vit")
    with torch.inference_mode():
        attention = model(*crop_pair(), record_attention=True).attention
    for weights in attention.local.relay_to_patch:
        over_patches = weights.sum(dim=(3, 4))
        assert (over_patches > 0.1).all()
        assert (over_patches < 1).all()


@pytest.mark.parametrize("block", [0, 1])
def test_a_swin_patch_is_put_back_in_its_place_on_the_grid(block):
    # Mark one 4-px patch: the attention must change most there, whether the
    # block's attention windows are shifted (1) or not (0).
    model = tiny_model("swin", num_relay_tokens=1)
    with torch.no_grad():
        for norm in (
            model.backbone.stages[0].blocks[0].norm1,
            model.backbone.stages[0].blocks[0].norm2,
        ):
            norm.weight.zero_(), norm.bias.zero_()  # block 0 hands the patches on unmixed
    local, global_ = crop_pair(batch=1)
    marked = local.clone()
    marked[:, :, 20:24, 40:44] += 3
    with torch.inference_mode():
        before = model(local, global_, record_attention=True).attention.local
        after = model(marked, global_, record_attention=True).attention.local
    change = (after.patch_to_relay[block] - before.patch_to_relay[block]).abs().sum(dim=(0, 1, 2))
    assert divmod(int(change.argmax()), 16) == (5, 10)
