from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, attention_cache
from napari_relay.inference.attention_cache import AttentionCache, AttentionRequest, likely_next
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_maps import read_attention_stack

from .tiles import pattern_store, pattern_tile

WINDOW = Window(0, 0, 120, 180)


@pytest.fixture
def store(tmp_path: Path) -> PredictionStore:
    made = pattern_store(tmp_path / "s", 150, 200)
    made.write([pattern_tile(made, (i, j)) for i in range(3) for j in range(4)])
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[AttentionChoice]:
    """What was read from disk."""
    seen: list[AttentionChoice] = []

    def read(arrays, branch, choice, window, max_side):
        seen.append(choice)
        return read_attention_stack(arrays, branch, choice, window, max_side)

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    return seen


def wanted(block=None, token=None, branch="local") -> AttentionRequest:
    return AttentionRequest(branch, AttentionChoice("relay_to_patch", block, token), WINDOW)


def test_what_was_read_once_is_not_read_again_for_another_token(
    store: PredictionStore, reads: list[AttentionChoice]
) -> None:
    cache = AttentionCache(store)
    assert cache.find(wanted(0)) is None
    first = cache.read(wanted(0, token=1))
    assert cache.read(wanted(0, token=0)) is first
    assert cache.find(wanted(0)) is first
    assert len(reads) == 1
    expected = store.attention_map("local", "relay_to_patch", 0, 1, WINDOW)
    np.testing.assert_allclose(first.map(1).values, expected.values, rtol=1e-3)


def test_a_range_of_blocks_that_were_read_needs_no_disk(
    store: PredictionStore, reads: list[AttentionChoice]
) -> None:
    cache = AttentionCache(store)
    for block in (0, 1):
        cache.read(wanted(block))
    found = cache.find(wanted((0, 1)))
    assert found is not None
    assert len(reads) == 2
    expected = store.attention_map("local", "relay_to_patch", (0, 1), 0, WINDOW)
    np.testing.assert_allclose(found.map(0).values, expected.values, rtol=1e-3)
    assert cache.find(wanted((0, 2))) is None


def test_blocks_with_cells_of_other_sizes_are_read_together(store: PredictionStore) -> None:
    cache = AttentionCache(store)
    for block in (0, 2):  # 16 and 32 px
        cache.read(wanted(block))
    assert cache.find(wanted((0, 2))) is None
    both = cache.read(wanted((0, 2)))
    assert both.factor == 16


def test_what_was_used_longest_ago_goes_when_there_is_no_room(store: PredictionStore) -> None:
    size = AttentionCache(store).read(wanted(0)).values.nbytes
    cache = AttentionCache(store, budget=2 * size)
    cache.read(wanted(0))
    assert cache.has_room
    cache.read(wanted(1))
    assert not cache.has_room
    cache.find(wanted(0))
    cache.read(wanted(None))
    assert cache.find(wanted(0)) is not None
    assert cache.find(wanted(1)) is None


def test_what_was_read_before_the_prediction_changed_is_not_kept(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = AttentionCache(store)
    cache.read(wanted(0))
    cache.forget()
    assert cache.find(wanted(0)) is None

    def read(*parts):
        cache.forget()  # a tile arrives meanwhile
        return read_attention_stack(*parts)

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    assert np.isfinite(cache.read(wanted(0)).values).any()
    assert cache.find(wanted(0)) is None


def test_every_block_and_direction_is_likely_next(store: PredictionStore) -> None:
    layout = store.attention.layout
    ahead = list(likely_next(wanted(1, token=1), layout))
    assert {(a.choice.direction, a.choice.block) for a in ahead} == {
        (direction, block)
        for direction in ("relay_to_patch", "patch_to_relay")
        for block in (None, 0, 1, 2)
    }
    assert ahead[1].choice.direction == "relay_to_patch"
    assert {a.choice.token for a in ahead} == {None}
