"""Looking at one place: what the model says there, and where it has it from."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.exploring import Place, Probe, probe
from napari_relay.exploring.place import windows_at
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, PredictOptions, predict, read_crop_pair
from napari_relay.inference.devices import ready_model
from relay_tokens import Checkpoint, UserError, context_flow, relay_reliance
from tests.inference.samples import make_image, noise, tiny_relay, tiny_swin

MODELS = {"vit": tiny_relay, "swin": tiny_swin}
CHECKPOINT = tiny_relay()
LARGE = make_image(noise(400, 300))


@pytest.fixture(params=MODELS)
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return MODELS[request.param]()


def _same(one: Probe, other: Probe) -> bool:
    pairs = [(one.probabilities, other.probabilities), (one.flow.values, other.flow.values)]
    return all(np.array_equal(a, b) for a, b in pairs) and one.share == other.share


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 399), st.integers(0, 299))
def test_the_local_window_lies_on_whole_patches_with_the_place_in_its_middle(
    row: int, col: int
) -> None:
    local, wide, (y, x) = windows_at(Place(row, col), LARGE, CHECKPOINT.model)
    assert local.y0 % 16 == local.x0 % 16 == 0
    assert (local.y0 + y, local.x0 + x) == (row, col)
    assert max(abs(local.y0 + 31.5 - row), abs(local.x0 + 31.5 - col)) <= 8
    assert wide == local.around(4)


def test_a_probe_says_what_the_model_says_of_the_pair_of_crops(checkpoint: Checkpoint) -> None:
    found = probe(checkpoint, LARGE, Place(203, 150))
    pair = read_crop_pair(LARGE, found.local, checkpoint.model.config, checkpoint.metadata)
    local, wide = (torch.from_numpy(crop)[None] for crop in (pair.local, pair.global_))
    with torch.no_grad():
        output = checkpoint.model(local, wide, record_attention=True)
    y, x = 203 - found.local.y0, 150 - found.local.x0
    expected = output.local_logits.softmax(dim=1)[0, :, y, x].numpy()
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    flow = context_flow(output, (y, x))
    np.testing.assert_allclose(found.flow.values, flow.map.numpy(), atol=1e-6)
    assert found.share == pytest.approx(flow.share, abs=1e-6)


def test_a_probe_reads_all_tokens_together_as_reliance_has_it(checkpoint: Checkpoint) -> None:
    found = probe(checkpoint, LARGE, Place(203, 150))
    pair = read_crop_pair(LARGE, found.local, checkpoint.model.config, checkpoint.metadata)
    local, wide = (torch.from_numpy(crop)[None] for crop in (pair.local, pair.global_))
    with torch.no_grad():
        reliance = relay_reliance(checkpoint.model(local, wide, record_attention=True))[0]
    cell = 64 // reliance.shape[0]
    expected = reliance[(203 - found.local.y0) // cell, (150 - found.local.x0) // cell]
    assert found.mean_reading.sum() == pytest.approx(float(expected), abs=1e-6)
    assert found.token_reading.shape == (len(checkpoint.model.attention_strides), 4)


def test_an_even_reader_reads_a_token_like_any_patch() -> None:
    assert probe(CHECKPOINT, LARGE, Place(200, 150)).even_reading == pytest.approx(1 / (16 + 4))


def test_the_flow_map_fills_the_global_window_to_the_half_pixel(checkpoint: Checkpoint) -> None:
    found = probe(checkpoint, LARGE, Place(203, 150))
    values, factor, translate = found.flow
    wide = found.global_
    assert (values.shape[0] * factor, values.shape[1] * factor) == (wide.height, wide.width)
    # Pixel centres are whole numbers: the window's edge is half a pixel before its first one.
    assert tuple(t - factor / 2 for t in translate) == (wide.y0 - 0.5, wide.x0 - 0.5)
    assert values.sum() == pytest.approx(1, abs=1e-5)
    assert 0 < found.share < 1


def test_beyond_the_border_the_image_is_its_reflection() -> None:
    pixels = noise(320, 320)
    padded = np.pad(pixels, [(256, 256), (256, 256), (0, 0)], mode="reflect")
    corner = probe(CHECKPOINT, make_image(pixels, num_levels=1), Place(1, 2))
    inside = probe(CHECKPOINT, make_image(padded, num_levels=1), Place(257, 258))
    assert corner.local == Window(-32, -32, 64, 64)
    assert _same(corner, inside)
    assert corner.has_data


def test_a_place_without_data_is_told() -> None:
    pixels = noise(128, 128)
    pixels[40:60, 40:60] = 0
    image = make_image(pixels, nodata=0)
    assert not probe(CHECKPOINT, image, Place(50, 50)).has_data
    assert probe(CHECKPOINT, image, Place(90, 90)).has_data


def test_the_scales_disagree_between_not_at_all_and_wholly() -> None:
    assert 0 < probe(CHECKPOINT, LARGE, Place(200, 150)).disagreement < 1


@pytest.mark.parametrize("place", [(-1, 5), (5, 300), (400, 5)])
def test_a_place_outside_is_one_sentence(place: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=r"outside sample\.tif; choose a place within .* 400 × 300"):
        probe(CHECKPOINT, LARGE, Place(*place))


@pytest.mark.parametrize(
    "fields", [{"context_factor": None}, {"num_relay_tokens": 0, "mode": "fusion"}]
)
def test_a_model_without_relay_tokens_is_one_sentence(fields: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"tiny has no relay tokens .* choose one"):
        probe(tiny_relay(**fields), LARGE, Place(5, 5))


def test_an_image_of_other_bands_is_one_sentence() -> None:
    with pytest.raises(UserError, match="1 band"):
        probe(CHECKPOINT, make_image(noise(80, 80, bands=1)), Place(5, 5))


def test_a_missing_device_is_one_sentence() -> None:
    with pytest.raises(UserError, match="no device 'xpu:7'"):
        probe(CHECKPOINT, LARGE, Place(5, 5), PredictOptions(device="xpu:7"))


def test_the_precision_of_the_prediction_is_used() -> None:
    plain = probe(CHECKPOINT, LARGE, Place(200, 150))
    short = probe(CHECKPOINT, LARGE, Place(200, 150), PredictOptions(precision="bfloat16"))
    assert not np.array_equal(plain.probabilities, short.probabilities)
    np.testing.assert_allclose(plain.probabilities, short.probabilities, atol=0.1)


def test_a_model_that_predicts_meanwhile_can_be_probed_and_neither_is_changed(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    image = make_image(noise(320, 320))
    places = [Place(30 + 40 * k, 290 - 40 * k) for k in range(6)]
    expected = [probe(checkpoint, image, place) for place in places]
    weights = {name: value.clone() for name, value in checkpoint.model.state_dict().items()}
    options = PredictOptions(halo=0)  # which lies on any model's patches
    quiet, busy = (
        PredictionStore.open_or_create(tmp_path / name, image, checkpoint, options)
        for name in ("quiet", "busy")
    )
    for _ in predict(checkpoint, image, quiet, options=options):
        pass
    with ThreadPoolExecutor(2) as pool:
        prediction = pool.submit(lambda: list(predict(checkpoint, image, busy, options=options)))
        rounds = 0
        while not prediction.done() or rounds == 0:
            for place, known in zip(places, expected, strict=True):
                assert _same(probe(checkpoint, image, place), known)
            rounds += 1
        prediction.result()
    assert np.array_equal(quiet.read_labels(image.window), busy.read_labels(image.window))
    seen = [s.attention_map("global", "patch_to_relay").values for s in (quiet, busy)]
    assert np.array_equal(*seen, equal_nan=True)
    assert all(torch.equal(weights[k], v) for k, v in checkpoint.model.state_dict().items())
    assert not checkpoint.model.training


def test_a_model_that_is_on_the_device_is_not_touched() -> None:
    class Model(torch.nn.Linear):
        def to(self, *_args: object) -> Model:
            raise AssertionError("it was moved")

        def train(self, mode: bool = True) -> Model:
            raise AssertionError("its mode was set")

    model = Model(1, 1)
    model.training = False
    assert ready_model(model, torch.device("cpu")) is model  # type: ignore[arg-type]


def test_who_comes_while_a_model_moves_waits_until_it_is_there() -> None:
    arrived, go_on, moves = threading.Event(), threading.Event(), []

    class Model(torch.nn.Linear):
        def to(self, device: torch.device) -> Model:
            moves.append(device)
            arrived.set()
            assert go_on.wait(10)
            return super().to(device)

    model = Model(1, 1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ready_model, model, torch.device("meta"))
        assert arrived.wait(10)
        second = pool.submit(ready_model, model, torch.device("meta"))
        with pytest.raises(TimeoutError):
            second.result(0.2)
        go_on.set()
        assert first.result(10) is second.result(10) is model
    assert model.weight.is_meta
    assert len(moves) == 1
