from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_relay.annotation import (
    CorrectionStore,
    PlaceQueue,
    RankingOptions,
    rank_places,
    read_block_scores,
)
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.inference.tile import PredictedTile
from tests.inference.tiles import pattern_store

SIDE = 640
OPTIONS = RankingOptions(side=64, diversity=0.0)


@pytest.fixture
def predicted(tmp_path: Path) -> PredictionStore:
    """An image of 10 × 10 tiles of 64 px, none predicted yet."""
    return pattern_store(tmp_path / "prediction", SIDE, SIDE)


@pytest.fixture
def corrections(tmp_path: Path, predicted: PredictionStore) -> CorrectionStore:
    return CorrectionStore.create(
        tmp_path / "corrections", predicted.shape, predicted.classes, "image"
    )


def fill(
    store: PredictionStore,
    positions: list[tuple[int, int]],
    entropy: int,
    label: int = 0,
    disagreement: int = 1,
) -> None:
    """Predict tiles with the same label and scores everywhere."""
    store.write(
        PredictedTile(position, *_planes(store, position, label, entropy, disagreement), None, None)
        for position in positions
    )


def _planes(
    store: PredictionStore, position: tuple[int, int], *values: int
) -> list[NDArray[np.uint8]]:
    area = store.grid.tile(*position)
    label, entropy, disagreement = values
    shape = (area.height, area.width)
    return [np.full(shape, v, np.uint8) for v in (label, 200, entropy, disagreement)]


def everywhere() -> list[tuple[int, int]]:
    return [(i, j) for i in range(10) for j in range(10)]


def windows(store: PredictionStore, corrections: CorrectionStore, count: int) -> list[Window]:
    return [p.window for p in rank_places(store, corrections, count, OPTIONS)]


def test_the_most_unsure_places_come_first(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    fill(predicted, [(2, 3)], entropy=200)
    fill(predicted, [(7, 7)], entropy=250)
    found = rank_places(predicted, corrections, 2, OPTIONS)
    assert [p.window for p in found] == [Window(448, 448, 64, 64), Window(128, 192, 64, 64)]
    assert found[0].entropy == pytest.approx(249 / 254)
    assert found[0].score > found[1].score
    assert found[0].reason == "unsure"


def test_a_place_where_the_scales_disagree_says_so(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=50, disagreement=5)
    fill(predicted, [(4, 4)], entropy=50, disagreement=200)
    (found,) = rank_places(predicted, corrections, 1, OPTIONS)
    assert found.window == Window(256, 256, 64, 64)
    assert found.reason == "scales disagree"
    assert found.disagreement == pytest.approx(199 / 254)


def test_what_is_not_predicted_is_never_named(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    assert rank_places(predicted, corrections, 5, OPTIONS) == []
    fill(predicted, [(0, 0)], entropy=1)
    assert windows(predicted, corrections, 5) == [Window(0, 0, 64, 64)]


def test_places_on_or_beside_corrections_are_left_out(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    fill(predicted, [(5, 4), (5, 5), (8, 8)], entropy=250)
    corrections.write(Window(340, 340, 3, 3), np.zeros((3, 3), np.uint8))  # in block (5, 5)
    assert windows(predicted, corrections, 1) == [Window(512, 512, 64, 64)]
    corrections.write(Window(340, 340, 3, 3), np.full((3, 3), 255, np.uint8))
    assert windows(predicted, corrections, 1)[0].y0 == 320


def test_places_keep_apart_from_each_other_and_from_what_was_seen(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    fill(predicted, [(5, 4), (5, 5)], entropy=250)
    first, second = windows(predicted, corrections, 2)
    assert first == Window(320, 256, 64, 64)
    assert max(abs(second.y0 - first.y0), abs(second.x0 - first.x0)) > 64
    (other,) = rank_places(predicted, corrections, 1, OPTIONS, seen=[first])
    assert other.window == second


def test_diversity_prefers_another_class_to_a_slightly_higher_score(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    fill(predicted, [(0, 0), (4, 4)], entropy=250, label=1)
    fill(predicted, [(8, 8)], entropy=200, label=2)
    even = rank_places(predicted, corrections, 2, RankingOptions(side=64, diversity=0.0))
    diverse = rank_places(predicted, corrections, 2, RankingOptions(side=64, diversity=0.5))
    assert [p.window.y0 for p in even] == [0, 256]
    assert [p.window.y0 for p in diverse] == [0, 512]


def test_block_scores_are_means_over_the_block(predicted: PredictionStore) -> None:
    fill(predicted, [(0, 0)], entropy=255, label=1)
    fill(predicted, [(0, 1), (1, 0), (1, 1)], entropy=1, label=2)
    blocks = read_block_scores(predicted, 128)
    assert blocks.known[0, 0] == 1
    assert blocks.known[1, 1] == 0
    assert blocks.entropy[0, 0] == pytest.approx(0.25, abs=0.01)
    assert blocks.mix[0, 0].tolist() == pytest.approx([0, 0.25, 0.75, 0, 0])


def test_blocks_at_the_border_count_only_what_is_inside(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "odd", 150, 203)
    fill(store, [(i, j) for i in range(3) for j in range(4)], entropy=100)
    blocks = read_block_scores(store, 64)
    np.testing.assert_array_equal(blocks.known, 1)
    assert blocks.window(2, 3) == Window(128, 192, 22, 11)


def test_the_queue_goes_back_and_forth_and_keeps_what_was_said(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    fill(predicted, [(1, 1)], entropy=250)
    fill(predicted, [(4, 4)], entropy=200)
    queue = PlaceQueue()
    assert queue.next() is None
    queue.rank(rank_places(predicted, corrections, 5, OPTIONS, queue.seen))
    first = queue.next()
    assert first is not None
    assert (queue.position, len(queue)) == (1, 5)
    second = queue.skip()
    assert second is not None
    assert second.place.window != first.place.window
    back = queue.previous()
    assert back is not None
    assert (back.place, back.verdict) == (first.place, "skipped")
    assert queue.skipped == [first.place.window]
    queue.rank(rank_places(predicted, corrections, 5, OPTIONS, queue.seen))
    again = queue.next()
    assert again is not None
    assert again.place == second.place
    third = queue.agree()
    assert third is not None
    assert third.place.window not in {first.place.window, second.place.window}


def test_a_new_ranking_leaves_the_current_place_where_it_is(
    predicted: PredictionStore, corrections: CorrectionStore
) -> None:
    fill(predicted, everywhere(), entropy=10)
    queue = PlaceQueue()
    queue.rank(rank_places(predicted, corrections, 3, OPTIONS))
    shown = queue.next()
    fill(predicted, [(9, 9)], entropy=255)
    queue.rank(rank_places(predicted, corrections, 3, OPTIONS, queue.seen))
    assert queue.current is shown
    following = queue.next()
    assert following is not None
    assert following.place.window == Window(576, 576, 64, 64)
