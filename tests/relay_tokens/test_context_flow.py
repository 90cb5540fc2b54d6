"""What the flow of context and the reliance on relay tokens claim to be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relay_tokens import (
    BranchAttention,
    RelayAttention,
    RelayOutput,
    UserError,
    context_flow,
    relay_reliance,
)
from tests.relay_tokens.tiny import crop_pair, tiny_model

GRID = (3, 3)


def _attention(blocks: int, tokens: int, seed: int = 0, exchange="sequential") -> RelayAttention:
    """Random weights of one crop pair and two heads, each row summing to less than 1."""
    generator = torch.Generator().manual_seed(seed)

    def branch() -> BranchAttention:
        shape = (blocks, 1, 2, tokens, *GRID)
        rows, columns = torch.rand(2, *shape, generator=generator)
        rows = rows / rows.sum(dim=(-1, -2), keepdim=True) * 0.9
        return BranchAttention(tuple(rows), tuple(columns / (tokens + 1)))

    return RelayAttention(branch(), branch(), exchange)


def _output(attention: RelayAttention) -> RelayOutput:
    return RelayOutput(torch.zeros(1, 2, 12, 12), torch.zeros(1, 2, 12, 12), attention)


def _constant(value: float, tokens: int = 1, blocks: int = 1) -> tuple[torch.Tensor, ...]:
    return (torch.full((1, 1, tokens, *GRID), value),) * blocks


def _walk(attention: RelayAttention, cell: tuple[int, int]) -> torch.Tensor:
    """The same composition as one matrix product a step, every source followed.

    Columns: what is held of each global patch, of the local patches, and of what
    was there at the start. Rows: the relay tokens, then the pixel's patch.
    """
    tokens, patches = attention.global_.relay_to_patch[0].shape[2], GRID[0] * GRID[1]
    held = torch.zeros(tokens + 1, patches + 2)
    held[:, -1] = 1
    mean = attention.exchange == "mean"
    for block in range(len(attention.local.relay_to_patch)):
        wide = attention.global_.relay_to_patch[block][0].mean(0).flatten(1)
        near = attention.local.relay_to_patch[block][0].mean(0).sum((1, 2))
        seen = attention.local.patch_to_relay[block][0].mean(0)[:, cell[0], cell[1]]

        def step(read: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
            kept = 1 - read.sum(1, keepdim=True)
            return 0.5 * before[:tokens] + 0.5 * (read + kept * before[:tokens])

        from_global = torch.cat([wide, torch.zeros(tokens, 2)], 1)
        from_local = torch.zeros(tokens, patches + 2)
        from_local[:, patches] = near
        after_global = step(from_global, held)
        start = held[:tokens] if mean else after_global
        patch = 0.5 * held[-1] + 0.5 * (seen @ start + (1 - seen.sum()) * held[-1])
        after = step(from_local, start)
        held = torch.cat([(after + after_global) / 2 if mean else after, patch[None]])
        torch.testing.assert_close(held.sum(1), torch.ones(tokens + 1))
    return held[-1, :patches].reshape(GRID)


def test_with_one_token_and_one_block_the_flow_is_the_product_of_both_weights():
    attention = _attention(blocks=1, tokens=1)
    flow = context_flow(_output(attention), (5, 9))
    wide = attention.global_.relay_to_patch[0][0, :, 0].mean(0)
    seen = attention.local.patch_to_relay[0][0, :, 0, 1, 2].mean()
    torch.testing.assert_close(flow.map * flow.share, seen * wide / 4)


def test_each_token_counts_as_much_as_the_patch_reads_it():
    attention = _attention(blocks=1, tokens=2)
    rows = torch.zeros(1, 1, 2, *GRID)
    rows[0, 0, 0, 0, 0] = rows[0, 0, 1, 2, 2] = 1
    columns = torch.zeros(1, 1, 2, *GRID)
    columns[0, 0, 0], columns[0, 0, 1] = 0.3, 0.1
    attention = RelayAttention(BranchAttention((rows,), (columns,)), BranchAttention((rows,), ()))
    flow = context_flow(_output(attention), (0, 0)).map
    assert flow[0, 0] == pytest.approx(0.75)
    assert flow[2, 2] == pytest.approx(0.25)


@given(
    blocks=st.integers(1, 5),
    tokens=st.integers(1, 4),
    seed=st.integers(0, 99),
    cell=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    exchange=st.sampled_from(["sequential", "mean"]),
)
@settings(max_examples=20, deadline=None)
def test_the_flow_is_what_a_walk_that_loses_nothing_finds(blocks, tokens, seed, cell, exchange):
    attention = _attention(blocks, tokens, seed, exchange)
    flow = context_flow(_output(attention), (cell[0] * 4 + 3, cell[1] * 4))
    torch.testing.assert_close(flow.map * flow.share, _walk(attention, cell))
    assert flow.map.min() >= 0
    assert 0 <= flow.share <= 1


def test_reading_nothing_but_context_in_every_block_leaves_little_else():
    blocks = 6
    wide = BranchAttention(_constant(1 / 9, blocks=blocks), ())
    near = BranchAttention(_constant(0.0, blocks=blocks), _constant(1.0, blocks=blocks))
    flow = context_flow(_output(RelayAttention(near, wide)), (0, 0))
    assert flow.share == pytest.approx(1 - (1 + blocks / 2) / 2**blocks)
    torch.testing.assert_close(flow.map, torch.full(GRID, 1 / 9))


def test_with_mean_exchange_the_first_block_brings_no_context():
    flow = context_flow(_output(_attention(1, 2, exchange="mean")), (0, 0))
    assert flow.share == 0
    assert not flow.map.any()


def test_what_the_relay_tokens_read_in_the_last_block_counts_only_in_sequence():
    def map_with(last: float, exchange) -> torch.Tensor:
        attention = _attention(2, 2, exchange=exchange)
        attention.global_.relay_to_patch[1][..., 0, 0] = last
        flow = context_flow(_output(attention), (0, 0))
        return flow.map * flow.share

    assert torch.equal(map_with(0.0, "mean"), map_with(0.1, "mean"))
    assert not torch.equal(map_with(0.0, "sequential"), map_with(0.1, "sequential"))


def test_what_was_read_in_the_local_crop_takes_the_place_of_context():
    def share(near: float) -> float:
        attention = _attention(2, 1)
        first, second = attention.local.relay_to_patch
        local = BranchAttention((first * near, second), attention.local.patch_to_relay)
        return context_flow(_output(RelayAttention(local, attention.global_)), (0, 0)).share

    assert share(1.0) < share(0.5) < share(0.0)


def test_a_coarse_cell_shares_its_weight_among_the_fine_ones_it_covers():
    coarse, fine = torch.zeros(1, 1, 1, 2, 2), torch.zeros(1, 1, 1, 4, 4)
    coarse[..., 0, 1] = 1.0
    columns = (torch.ones(1, 1, 1, 4, 4), torch.ones(1, 1, 1, 2, 2))
    attention = RelayAttention(
        BranchAttention((fine, coarse * 0), columns), BranchAttention((fine, coarse), ())
    )
    flow = context_flow(_output(attention), (0, 0))
    expected = torch.zeros(4, 4)
    expected[:2, 2:] = 0.25
    assert torch.equal(flow.map, expected)
    assert flow.share == pytest.approx(0.25)


def test_copies_of_a_relay_token_share_its_weight_among_attention_windows():
    rows = _constant(1 / 9)
    local = BranchAttention(_constant(0.0), _constant(1.0), (4,))
    one, four = (
        context_flow(_output(RelayAttention(local, BranchAttention(rows, (), w))), (0, 0)).share
        for w in [(1,), (4,)]
    )
    assert four == pytest.approx(one / 4)


@pytest.mark.parametrize("kind", ["vit", "swin"])
@pytest.mark.parametrize("exchange", ["sequential", "mean"])
def test_every_item_of_a_batch_has_its_own_flow_on_the_finest_grid(kind, exchange):
    model = tiny_model(kind, exchange=exchange)
    local, global_ = crop_pair()
    with torch.inference_mode():
        both = model(local, global_, record_attention=True)
        second = model(local[1:], global_[1:], record_attention=True)
    side = 64 // model.attention_strides[0]
    flow, alone = context_flow(both, (40, 20), item=1), context_flow(second, (40, 20))
    assert flow.map.shape == (side, side)
    assert flow.map.sum() == pytest.approx(1, abs=1e-5)
    assert 0 < flow.share < 1
    torch.testing.assert_close(flow.map, alone.map)
    assert not torch.allclose(flow.map, context_flow(both, (40, 20), item=0).map)


def _only_one_global_patch_counts(patch: int):
    """A ViT whose tokens all look for channel 0, large in one global patch alone."""
    model = tiny_model("vit")
    backbone = model.backbone
    with torch.no_grad():
        for block in backbone.blocks:
            weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
            weight[:96], bias[:96] = 0, 0
            bias[:48:16] = 8
            weight[48:96:16, 0] = 1
        backbone.global_embedding.positions[0, patch, 0] = 30
        backbone.relay_tokens[..., 0] = 2
    return model


def test_where_one_global_patch_alone_counts_flow_and_occlusion_both_find_it():
    model = _only_one_global_patch_counts(6)
    local, global_ = crop_pair(batch=1)
    with torch.inference_mode():
        output = model(local, global_, record_attention=True)
        effects = []
        for patch in range(16):
            row, col = divmod(patch, 4)
            hidden = global_.clone()
            hidden[:, :, 16 * row : 16 * row + 16, 16 * col : 16 * col + 16] = 0
            effects.append((model(local, hidden).local_logits - output.local_logits).abs().sum())
    flow = context_flow(output, (10, 50))
    assert flow.map.flatten().argmax() == 6
    assert flow.map.max() > 0.9
    assert torch.stack(effects).argmax() == 6


def test_reliance_sums_over_tokens_and_averages_heads_and_blocks():
    attention = _attention(blocks=3, tokens=2)
    reliance = relay_reliance(_output(attention))
    expected = torch.stack(attention.local.patch_to_relay).sum(3).mean(2).mean(0)
    torch.testing.assert_close(reliance, expected)


def test_reliance_repeats_coarse_cells_on_the_finest_grid():
    fine, coarse = torch.zeros(1, 1, 1, 4, 4), torch.zeros(1, 1, 1, 2, 2)
    coarse[..., 1, 0] = 0.5
    local = BranchAttention((fine, coarse), (fine, coarse))
    reliance = relay_reliance(_output(RelayAttention(local, local)))
    expected = torch.zeros(1, 4, 4)
    expected[:, 2:, :2] = 0.25
    assert torch.equal(reliance, expected)


def test_an_output_without_attention_says_how_to_get_it():
    output = RelayOutput(torch.zeros(1, 2, 12, 12))
    for read in (lambda: context_flow(output, (0, 0)), lambda: relay_reliance(output)):
        with pytest.raises(UserError, match="record_attention=True"):
            read()


@pytest.mark.parametrize("changes", [{"context_factor": None}, {"num_relay_tokens": 0}])
def test_a_model_without_relay_tokens_has_no_flow(changes):
    with torch.inference_mode():
        output = tiny_model("vit", **changes)(*crop_pair(), record_attention=True)
    with pytest.raises(UserError, match="no relay tokens"):
        context_flow(output, (0, 0))


@pytest.mark.parametrize("pixel", [(-1, 0), (0, 12)])
def test_a_pixel_outside_the_crop_is_refused(pixel):
    with pytest.raises(UserError, match="outside the local crop of 12 × 12"):
        context_flow(_output(_attention(1, 1)), pixel)
