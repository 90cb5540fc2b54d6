"""However a prediction is run, the result is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.inference.blending import weight_window
from napari_relay.inference.crops import read_crop_pair
from relay_tokens import Checkpoint

from .samples import make_image, noise, tiny_relay, tiny_swin

CPU = PredictOptions(device="cpu", batch_size=4, attention=False, probabilities=True)
WAYS = {
    "batch 1, 1 thread": replace(CPU, batch_size=1, reader_threads=1),
    "batch 2, 3 threads": replace(CPU, batch_size=2, reader_threads=3),
    "batch 7, no memory": replace(CPU, batch_size=7, memory=1),
    "batch 3, little memory": replace(CPU, batch_size=3, memory=40 * 4 * 64 * 64 * 4),
}


def run(
    folder: Path, checkpoint: Checkpoint, image: PyramidImage, options: PredictOptions = CPU
) -> PredictionStore:
    store = PredictionStore.open_or_create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, options=options))
    return store


def maps_of(store: PredictionStore) -> list[NDArray[np.uint8]]:
    rows, cols = store.shape
    window = Window(0, 0, rows, cols)
    assert store.disagreement is not None
    measured = (store.confidence[0], store.entropy[0], store.disagreement[0])
    return [
        store.read_labels(window),
        *(np.asarray(array[:rows, :cols]) for array in measured),
        store.read_probabilities(window),
    ]


@pytest.fixture(scope="module", params=[tiny_relay, tiny_swin], ids=["vit", "swin"])
def model(request: pytest.FixtureRequest) -> Checkpoint:
    make: Callable[[], Checkpoint] = request.param
    return make()


@pytest.fixture(scope="module")
def image() -> PyramidImage:
    pixels = noise(190, 230)
    pixels[60:150, 20:120] = 0
    return make_image(pixels, nodata=0)


@pytest.fixture(scope="module")
def plain(
    model: Checkpoint, image: PyramidImage, tmp_path_factory: pytest.TempPathFactory
) -> list[NDArray[np.uint8]]:
    found = maps_of(run(tmp_path_factory.mktemp("plain") / "store", model, image))
    assert len(np.unique(found[0])) > 2
    return found


@pytest.mark.parametrize("way", WAYS)
def test_batches_threads_and_memory_change_no_bit(
    way: str,
    model: Checkpoint,
    image: PyramidImage,
    plain: list[NDArray[np.uint8]],
    tmp_path: Path,
) -> None:
    other = maps_of(run(tmp_path / "s", model, image, WAYS[way]))
    for mine, theirs in zip(other, plain, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_restarts_and_windows_change_no_bit(
    model: Checkpoint, image: PyramidImage, plain: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    store = PredictionStore.create(tmp_path / "s", image, model, CPU)
    corner = np.array([[100, 150], [189, 229], [100, 229.0]])
    list(predict(model, image, store, [Window(30, 40, 50, 9), corner], CPU))
    some = int(store.finished.sum())
    assert 0 < some < store.finished.size
    stopped = predict(model, image, store, options=CPU, priority=lambda: Window(180, 0, 9, 9))
    assert len(list(islice(stopped, 3))) == 3
    stopped.close()
    assert store.finished.sum() > some
    other = maps_of(run(tmp_path / "s", model, image))
    for mine, theirs in zip(other, plain, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_tiles_equal_an_untiled_blend_of_all_crops_at_once(
    model: Checkpoint, image: PyramidImage, plain: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    grid = PredictionStore.create(tmp_path / "s", image, model, CPU).grid
    labels, confidence, entropy, disagreement, probabilities = plain
    expected, apart = blend_all_at_once(image, model, grid)
    data = labels != 255
    step = 0.5 / 255 + 1e-4
    np.testing.assert_allclose(probabilities[:, data] / 255, expected[:, data], atol=step)
    np.testing.assert_allclose(confidence[data] / 255, expected.max(axis=0)[data], atol=step)
    log = np.log(expected[:, data])
    unsure = -(expected[:, data] * log).sum(axis=0) / np.log(3)
    np.testing.assert_allclose(entropy[data] / 255, np.maximum(unsure, 1 / 255), atol=step)
    np.testing.assert_allclose(
        disagreement[data] / 255, np.maximum(apart[data], 1 / 255), atol=step
    )
    ordered = np.sort(expected, axis=0)
    clear = data & (ordered[-1] - ordered[-2] > 1e-4)
    np.testing.assert_array_equal(labels[clear], expected.argmax(axis=0)[clear])
    assert clear.sum() > 0.99 * data.sum()


def blend_all_at_once(
    image: PyramidImage, checkpoint: Checkpoint, grid: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In double precision: class probabilities, and the scales' total variation distance."""
    pad = grid.crop_size
    total = np.zeros((4, grid.height + 2 * pad, grid.width + 2 * pad))
    share = np.zeros(total.shape[1:])
    weight = weight_window(grid).numpy().astype(np.float64)
    for i, j in np.ndindex(grid.shape):
        window = grid.crop(i, j)
        pair = read_crop_pair(image, window, checkpoint.model.config, checkpoint.metadata)
        here = window._replace(y0=window.y0 + pad, x0=window.x0 + pad).slices
        total[:, *here] += channels(checkpoint, pair) * weight
        share[here] += weight
    inside = (slice(pad, pad + grid.height), slice(pad, pad + grid.width))
    blended = total[:, *inside] / share[inside]
    return blended[:3], blended[3]


def channels(checkpoint: Checkpoint, pair: object) -> NDArray[np.float64]:
    crops = [torch.from_numpy(crop)[None] for crop in (pair.local, pair.global_)]
    with torch.no_grad():
        output = checkpoint.model(*crops)
    local = output.local_logits.double().softmax(1)[0].numpy()
    wide = enlarged(output.global_logits.double()[0].numpy()[:, 24:40, 24:40])
    wide = np.exp(wide) / np.exp(wide).sum(axis=0)
    return np.concatenate([local, np.abs(local - wide).sum(axis=0, keepdims=True) / 2])


def enlarged(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four times as many rows and columns: linear between pixel middles, flat beyond the last."""
    middles = np.arange(centre.shape[1])
    wanted = (np.arange(4 * len(middles)) + 0.5) / 4 - 0.5
    by_rows = np.apply_along_axis(lambda line: np.interp(wanted, middles, line), 1, centre)
    return np.apply_along_axis(lambda line: np.interp(wanted, middles, line), 2, by_rows)
