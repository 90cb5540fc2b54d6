from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import (
    PredictionStore,
    PredictOptions,
    predict,
)
from relay_tokens import Checkpoint, UserError

from .samples import make_image, noise, tiny_relay, value_checkpoint, value_image

CPU = PredictOptions(device="cpu", batch_size=3, attention=False)


def run(
    folder: Path, checkpoint: Checkpoint, image: PyramidImage, options: PredictOptions = CPU
) -> PredictionStore:
    store = PredictionStore.open_or_create(folder, image, checkpoint, options)
    for _ in predict(checkpoint, image, store, options=options):
        pass
    return store


def labels_of(store: PredictionStore) -> NDArray[np.uint8]:
    return store.read_labels(Window(0, 0, *store.shape))


def relay_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("relay")]


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    halo=st.sampled_from([0, 5, 16]),
    seed=st.integers(0, 99),
)
def test_a_model_that_labels_each_pixel_with_its_value_returns_the_image(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, halo: int, seed: int
) -> None:
    image = value_image(height, width, seed=seed)
    options = PredictOptions(device="cpu", halo=halo, attention=False)
    store = run(tmp_path_factory.mktemp("s") / "store", value_checkpoint(), image, options)
    np.testing.assert_array_equal(labels_of(store), image.levels[0][..., 0].compute())
    assert store.finished.all()


def test_pixels_without_data_are_not_predicted(tmp_path: Path) -> None:
    pixels = np.ones((100, 100, 1), dtype=np.uint8)
    pixels[30:50, 60:70] = 4
    store = run(tmp_path / "s", value_checkpoint(), make_image(pixels, nodata=4))
    expected = np.where(pixels[..., 0] == 4, 255, 1)
    np.testing.assert_array_equal(labels_of(store), expected)
    confidence = np.asarray(store.confidence[0])[:100, :100]
    np.testing.assert_array_equal(confidence == 0, expected == 255)


def test_only_the_wanted_windows_are_predicted_and_exactly_as_in_the_whole(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(300, 300)), tiny_relay()
    whole = run(tmp_path / "whole", checkpoint, image)
    store = PredictionStore.create(tmp_path / "part", image, checkpoint, CPU)
    window = Window(100, 100, 50, 50)
    results = list(predict(checkpoint, image, store, [window], CPU))
    wanted = store.grid.tiles_in(window)
    assert sorted(map(tuple, np.argwhere(store.finished))) == wanted
    assert [r.done for r in results] == list(range(1, len(wanted) + 1))
    assert {r.total for r in results} == {len(wanted)}
    np.testing.assert_array_equal(store.read_labels(window), whole.read_labels(window))


def test_a_tile_is_on_disk_when_it_is_reported(tmp_path: Path) -> None:
    image, checkpoint = value_image(200, 200), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    for result in predict(checkpoint, image, store, options=CPU):
        other = PredictionStore.open(tmp_path / "s")
        expected = image.levels[0][..., 0].compute()[result.tile.slices]
        np.testing.assert_array_equal(other.read_labels(result.tile), expected)


def test_tiles_in_the_priority_window_come_first_also_when_it_moves(tmp_path: Path) -> None:
    image, checkpoint = value_image(900, 900), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    views = [Window(320, 320, 64, 64), Window(0, 128, 64, 64)]
    asked: list[Window] = [views[0]]
    tiles = []
    for result in predict(checkpoint, image, store, options=CPU, priority=lambda: asked[0]):
        tiles.append(result.tile)
        if len(tiles) == 4:
            asked[0] = views[1]
    assert all(tile.intersects(views[0]) for tile in tiles[:4])
    reached = max(n for n, tile in enumerate(tiles) if tile.intersects(views[1]))
    # Three sets of up to 64 tiles may have been on their way to the disk.
    assert reached < 4 + 4 + 3 * 64 < store.finished.size / 1.5
    assert len(tiles) == store.finished.size


def test_closing_leaves_no_thread_and_keeps_what_is_done(tmp_path: Path) -> None:
    image, checkpoint = value_image(300, 300), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    tiles = predict(checkpoint, image, store, options=CPU)
    next(tiles)
    assert relay_threads()
    tiles.close()
    assert not relay_threads()
    assert store.finished.sum() >= 1
    assert PredictionStore.open(tmp_path / "s").finished.sum() == store.finished.sum()


def test_a_finished_store_is_not_predicted_again(tmp_path: Path) -> None:
    image, checkpoint = value_image(100, 100), value_checkpoint()
    store = run(tmp_path / "s", checkpoint, image)
    calls = len(checkpoint.model.calls)
    assert list(predict(checkpoint, image, store, options=CPU)) == []
    assert len(checkpoint.model.calls) == calls


def test_few_crops_are_computed_twice_when_memory_is_short(tmp_path: Path) -> None:
    image, checkpoint = value_image(640, 640), value_checkpoint()
    options = PredictOptions(device="cpu", attention=False, memory=40 * 5 * 64 * 64 * 4)
    store = run(tmp_path / "s", checkpoint, image, options)
    assert sum(checkpoint.model.calls) < 1.35 * store.finished.size


def test_an_error_while_reading_reaches_the_caller_and_leaves_no_thread(tmp_path: Path) -> None:
    image, checkpoint = value_image(300, 300), value_checkpoint()

    def fail(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        raise OSError("the disk is gone")

    broken = image.levels[0].map_blocks(fail, dtype="uint8", meta=np.empty((0, 0, 0), np.uint8))
    bad = PyramidImage((broken, *image.levels[1:]), image.factors, image.bands, image.source)
    store = PredictionStore.create(tmp_path / "s", bad, checkpoint, CPU)
    with pytest.raises(OSError, match="disk is gone"):
        list(predict(checkpoint, bad, store, options=CPU))
    assert not relay_threads()


class Hungry(torch.nn.Module):
    """Runs out of memory above two crops a batch."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.config = inner, inner.config
        self.stride, self.attention_strides = inner.stride, inner.attention_strides

    def forward(self, local: torch.Tensor, *rest: object) -> object:
        if len(local) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(local, *rest)


def test_out_of_memory_halves_the_batch_and_goes_on_with_one_notice(tmp_path: Path) -> None:
    image, plain = value_image(200, 200), value_checkpoint()
    checkpoint = Checkpoint(Hungry(plain.model), plain.metadata)
    options = PredictOptions(device="cpu", batch_size=4, attention=False)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    notices = [n for r in predict(checkpoint, image, store, options=options) for n in r.notices]
    np.testing.assert_array_equal(labels_of(store), image.levels[0][..., 0].compute())
    assert len(notices) == 1
    assert "batches of 2" in notices[0]


def test_an_image_with_the_wrong_bands_is_refused_before_anything_runs(tmp_path: Path) -> None:
    checkpoint = value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", value_image(90, 90), checkpoint, CPU)
    with pytest.raises(UserError, match="3 bands"):
        next(predict(checkpoint, make_image(noise(90, 90)), store, options=CPU))


def test_the_callers_model_keeps_its_weights_and_runs_in_eval_mode(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(70, 70)), tiny_relay()
    checkpoint.model.train()
    before = {name: value.clone() for name, value in checkpoint.model.state_dict().items()}
    run(tmp_path / "s", checkpoint, image)
    assert not checkpoint.model.training
    assert torch.is_grad_enabled()
    for name, value in checkpoint.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_single_scale_model_predicts_too(tmp_path: Path) -> None:
    checkpoint = tiny_relay(context_factor=None)
    options = PredictOptions(device="cpu")
    store = run(tmp_path / "s", checkpoint, make_image(noise(100, 130)), options)
    assert (labels_of(store) < 3).all()
    assert not store.has_attention
