"""What recorded relay attention claims to be."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from relay_tokens.attention import attend_recording
from tests.relay_tokens.tiny import crop_pair, tiny_model

KINDS = pytest.mark.parametrize("kind", ["vit", "swin"])


@pytest.mark.parametrize("marked", [slice(0, 3), slice(6, None), slice(0, 0)])
@pytest.mark.parametrize("biased", [(1, 3, 9, 9), (2, 3, 9, 9), (1, 1, 1, 9), None])
@pytest.mark.parametrize("gradient", [False, True], ids=["inference", "training"])
def test_rows_and_columns_are_those_of_the_full_map(marked, biased, gradient):
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 9, 8, generator=generator).requires_grad_(gradient)
    bias = None if biased is None else torch.randn(biased, generator=generator)
    full = (q @ k.mT * 0.3 + (0 if bias is None else bias)).softmax(dim=-1)
    seen = attend_recording(q, k, v, marked, 0.3, bias)
    torch.testing.assert_close(seen.mixed, full @ v)
    torch.testing.assert_close(seen.rows, full[:, :, marked])
    torch.testing.assert_close(seen.columns, full[:, :, :, marked])


def test_recorded_attention_has_the_gradient_of_the_full_map():
    q, k, v = torch.randn(3, 2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    q.requires_grad_()
    columns = attend_recording(q, k, v, slice(0, 2), 0.3).columns
    full = (q @ k.mT * 0.3).softmax(dim=-1)[..., :2]
    got, expected = (torch.autograd.grad((c**2).sum(), q)[0] for c in (columns, full))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_attention_is_recorded_in_other_precisions(dtype):
    q, k, v = torch.randn(3, 2, 3, 9, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    full = (q.double() @ k.double().mT * 0.3).softmax(dim=-1)
    seen = attend_recording(q, k, v, slice(0, 2), 0.3)
    tolerance = 0.02 if dtype == torch.bfloat16 else 1e-6
    for got, expected in ((seen.rows, full[:, :, :2]), (seen.columns, full[..., :2])):
        assert got.max() <= 1
        torch.testing.assert_close(got.double(), expected, atol=tolerance, rtol=0)


@KINDS
def test_attention_is_recorded_under_autocast(kind):
    model, crops = tiny_model(kind), crop_pair()
    with torch.inference_mode():
        exact = model(*crops, record_attention=True).attention.local
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(*crops, record_attention=True).attention.local
    for got, expected in zip(rough.patch_to_relay, exact.patch_to_relay, strict=True):
        assert got.min() >= 0
        assert got.max() <= 1
        assert (got - expected).abs().mean() < 0.02


class _FullMaps(TorchDispatchMode):
    """Notes every tensor made whose last two axes are both all tokens."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.made: list[torch.Size] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.shape[-2:] == (self.tokens,) * 2:
                self.made.append(tensor.shape)
        return result


@pytest.mark.parametrize("gradient", [False, True], ids=["inference", "training"])
def test_the_full_token_by_token_map_is_never_formed(gradient):
    model = tiny_model("vit")
    with torch.set_grad_enabled(gradient), _FullMaps(4 + 1 + 16) as full_maps:
        output = model(*crop_pair(), record_attention=True)
    assert full_maps.made == []
    kept = sum(m.numel() for m in output.attention.local.relay_to_patch)
    assert kept == 2 * 2 * 3 * 4 * 16  # batch, block, head, relay token, patch


def test_the_watch_for_full_maps_sees_one():
    q = torch.zeros(1, 1, 21, 8)
    with _FullMaps(21) as full_maps:
        torch.matmul(q, q.mT)
    assert full_maps.made


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
