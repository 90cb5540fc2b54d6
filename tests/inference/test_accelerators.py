"""On a GPU the product does what it does on the CPU; skipped where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.inference.devices import choose_device
from napari_relay.training import CorrectedImage, FinetuneOptions, finetune
from napari_relay.training.finetune_options import Trains
from relay_tokens import Checkpoint
from tests.training.scenes import blobs

from .samples import make_image, noise, tiny_relay, tiny_swin

DEVICE = choose_device()
CPU = PredictOptions(
    device="cpu", precision="float32", batch_size=8, attention=False, probabilities=True
)
GPU = replace(CPU, device=DEVICE.type)
MODELS = {"vit": tiny_relay, "swin": tiny_swin}

pytestmark = pytest.mark.skipif(DEVICE.type == "cpu", reason="there is no GPU here")


@pytest.fixture(scope="module")
def image() -> PyramidImage:
    return make_image(noise(300, 260))


def run(
    folder: Path, model: Checkpoint, image: PyramidImage, options: PredictOptions
) -> PredictionStore:
    store = PredictionStore.open_or_create(folder, image, model, options)
    list(predict(model, image, store, options=options))
    return store


def probabilities(store: PredictionStore) -> np.ndarray:
    return store.read_probabilities(Window(0, 0, *store.shape)).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_in_float32_a_gpu_predicts_what_the_cpu_does(
    name: str, image: PyramidImage, tmp_path: Path
) -> None:
    on_cpu = run(tmp_path / "cpu", MODELS[name](), image, CPU)
    on_gpu = run(tmp_path / "gpu", MODELS[name](), image, GPU)
    whole = Window(0, 0, *on_cpu.shape)
    same = on_cpu.read_labels(whole) == on_gpu.read_labels(whole)
    assert same.mean() > 0.999
    # Two steps of the uint8 in which probabilities are kept.
    assert np.abs(probabilities(on_cpu) - probabilities(on_gpu)).max() <= 2


@pytest.mark.parametrize("name", MODELS)
def test_in_bfloat16_nearly_all_pixels_keep_their_class(
    name: str, image: PyramidImage, tmp_path: Path
) -> None:
    on_cpu = run(tmp_path / "cpu", MODELS[name](), image, CPU)
    on_gpu = run(tmp_path / "gpu", MODELS[name](), image, replace(GPU, precision="bfloat16"))
    whole = Window(0, 0, *on_cpu.shape)
    same = on_cpu.read_labels(whole) == on_gpu.read_labels(whole)
    assert same.mean() > 0.97


def test_two_runs_on_a_gpu_give_the_same_bits_however_many_threads_read(
    image: PyramidImage, tmp_path: Path
) -> None:
    one = run(tmp_path / "one", tiny_relay(), image, GPU)
    two = run(tmp_path / "two", tiny_relay(), image, replace(GPU, reader_threads=3))
    np.testing.assert_array_equal(probabilities(one), probabilities(two))


@pytest.mark.parametrize("trains", ["head", "adapters", "all"])
def test_a_model_learns_corrections_on_a_gpu_and_comes_back_to_the_cpu(trains: Trains) -> None:
    image, labels = blobs()
    old = tiny_relay(classes=3)
    options = FinetuneOptions(
        trains, steps=6, batch_size=4, replayed=6, evaluate_every=3, device=DEVICE.type
    )
    states = list(finetune(old, [CorrectedImage(image, labels)], options=options))
    assert all(np.isfinite(state.loss) for state in states)
    assert states[-1].result is not None
    new = states[-1].result.state.model
    assert {p.device.type for p in new.parameters()} == {"cpu"}
    before = old.model.state_dict()
    assert any(not torch.equal(before[k], v) for k, v in new.state_dict().items())


@pytest.mark.skipif(DEVICE.type != "cuda", reason="only CUDA can be given less memory")
def test_when_the_gpus_memory_runs_out_smaller_batches_go_on(
    image: PyramidImage, tmp_path: Path
) -> None:
    model = tiny_relay()
    whole = torch.cuda.get_device_properties(0).total_memory
    room = torch.cuda.memory_reserved() + 24 * 2**20
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(room / whole)
    options = replace(GPU, batch_size=512)
    try:
        store = PredictionStore.open_or_create(tmp_path / "store", image, model, options)
        notices = [n for p in predict(model, image, store, options=options) for n in p.notices]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("Memory ran out on cuda" in notice for notice in notices)
    assert (store.read_labels(Window(0, 0, *store.shape)) < 3).all()
