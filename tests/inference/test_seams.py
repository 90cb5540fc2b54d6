"""The seam score tells visible tile borders from none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid
from napari_relay.inference import (
    PredictionStore,
    PredictOptions,
    WithReport,
    predict,
    seam_score,
)
from napari_relay.inference.blending import blend_tile, weight_window
from napari_relay.inference.seams import SeamMeter

from .samples import make_image, noise, tiny_relay

GRID = TileGrid(400, 430, 48, 8)


def score_of(labels: NDArray[np.uint8], grid: TileGrid = GRID, seed: int = 0) -> float | None:
    meter = SeamMeter(grid)
    tiles = list(np.ndindex(grid.shape))
    for k in np.random.default_rng(seed).permutation(len(tiles)):
        meter.add(tiles[k], labels[grid.tile(*tiles[k]).slices])
    return meter.score


def biased_crops(bias: float, seed: int) -> dict[tuple[int, int], torch.Tensor]:
    """Probabilities of two classes: the same smooth field, shifted by a bias of each crop."""
    rng = np.random.default_rng(seed)
    pad = GRID.crop_size
    rows, cols = np.mgrid[: 400 + 2 * pad, : 430 + 2 * pad] / 12
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 5))
    waves = [
        np.sin(rows * np.sin(a) + cols * np.cos(a) + p) for a, p in zip(angle, phase, strict=True)
    ]
    field = torch.from_numpy(0.5 + sum(waves) / 10)
    found = {}
    for index in np.ndindex(GRID.shape):
        crop = GRID.crop(*index)
        part = field[crop._replace(y0=crop.y0 + pad, x0=crop.x0 + pad).slices]
        chance = (part + rng.uniform(-bias, bias)).clamp(0, 1).float()
        found[index] = torch.stack([chance, 1 - chance])
    return found


def labels_from(crops: dict[tuple[int, int], torch.Tensor], blended: bool) -> NDArray[np.uint8]:
    labels = np.zeros((GRID.height, GRID.width), np.uint8)
    weight = weight_window(GRID) if blended else torch.ones(64, 64)
    for index, crop in crops.items():
        over = {k: crops[k] * weight for k in GRID.neighbours(*index)}
        if blended:
            values = blend_tile(GRID, index, over, weight)
        else:
            tile = GRID.tile(*index)
            values = crop[:, 8 : 8 + tile.height, 8 : 8 + tile.width]
        labels[GRID.tile(*index).slices] = values.argmax(dim=0).numpy()
    return labels


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_hard_tiles_of_a_biased_model_score_high_and_blended_ones_about_one(seed: int) -> None:
    crops = biased_crops(0.05, seed)
    hard, soft = (score_of(labels_from(crops, blended)) for blended in (False, True))
    assert hard > max(2.5, 2 * soft)
    assert 0.5 < soft < 2.6  # a ratio of two small samples


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.5))
def test_labels_without_tiles_score_one(seed: int, share: float) -> None:
    labels = (np.random.default_rng(seed).random((400, 430)) < share).astype(np.uint8)
    assert 0.8 < score_of(labels) < 1.2


def test_the_score_does_not_depend_on_the_order_of_the_tiles() -> None:
    labels = (noise(400, 430, 1)[..., 0] // 64).astype(np.uint8)
    assert score_of(labels, seed=1) == score_of(labels, seed=2)


def test_the_score_counts_pairs_across_borders_over_those_between_patches() -> None:
    labels = np.zeros((400, 430), np.uint8)
    labels[48:96] = 1
    # 2 of 8 border rows and 0 of 8 border columns differ, and nothing else.
    assert score_of(labels) == math.inf
    labels[:, 8:] ^= 1
    # Now a column between patches, 8 px from the edge, differs too: 400 of the pairs there.
    borders = 2 * 430 / (8 * 430 + 8 * 400)
    rows, cols = 8 * 5 + 1, 8 * 5 + 5
    assert score_of(labels) == pytest.approx(borders / (400 / (rows * 430 + cols * 400)))


def test_one_class_everywhere_scores_one_and_a_single_tile_nothing() -> None:
    assert score_of(np.ones((400, 430), np.uint8)) == 1
    assert score_of(np.ones((40, 40), np.uint8), TileGrid(40, 40, 48, 8)) is None


def test_pixels_without_data_are_not_counted() -> None:
    labels = (noise(400, 430, 1)[..., 0] // 64).astype(np.uint8)
    labels[:, 200:] = 255
    hidden = score_of(labels)
    labels[::2, 200:] = 254
    labels[1::2, 200:] = 255
    assert score_of(labels) != hidden


def test_only_the_edges_of_the_last_row_of_tiles_are_kept() -> None:
    meter = SeamMeter(GRID)
    for index in np.ndindex(GRID.shape):
        tile = GRID.tile(*index)
        meter.add(index, np.zeros((tile.height, tile.width), np.uint8))
        assert len(meter._edges) <= GRID.shape[1] + 1
    assert not meter._edges


def test_a_run_reports_the_score_that_its_store_has(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(300, 300)), tiny_relay()
    options = PredictOptions(device="cpu", attention=False)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    run = WithReport(predict(checkpoint, image, store, options=options))
    assert len(list(run)) == store.finished.size
    assert run.report is not None
    assert run.report.seam_score == seam_score(PredictionStore.open(tmp_path / "s"))
    assert 0.5 < run.report.seam_score < 1.5
