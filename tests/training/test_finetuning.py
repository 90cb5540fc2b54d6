from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_relay.geometry import Window
from napari_relay.inference.crops import read_crop_pair
from napari_relay.training import (
    ArrayLabels,
    CorrectedImage,
    FinetuneOptions,
    FinetuneProgress,
    FinetuneResult,
    finetune,
)
from napari_relay.training.base_tiles import BaseTiles, write_base_tiles
from napari_relay.training.corrected_places import cover
from napari_relay.training.correction_values import IGNORED, NOT_CLASS
from napari_relay.training.examples import ExampleReader
from napari_relay.training.finetune_options import Trains
from relay_tokens import Checkpoint, UserError
from tests.training.scenes import blobs

OPTIONS = FinetuneOptions(
    "all", steps=10, batch_size=4, learning_rate=2e-3, replayed=6, evaluate_every=5, device="cpu"
)
IMAGE, LABELS = blobs()


def painted(*windows: Window) -> ArrayLabels:
    """Every red pixel in the windows called light instead: a person's new opinion."""
    values = np.full(IMAGE.shape, 255, np.uint8)
    old = np.asarray(LABELS.array)
    for window in windows:
        values[window.slices] = np.where(old[window.slices] == 2, 1, old[window.slices])
    return ArrayLabels(values)


def last_of(run: object) -> FinetuneProgress:
    *_, last = run  # type: ignore[misc]
    return last


def untouched(model: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def share_of_light(checkpoint: Checkpoint, window: Window) -> float:
    """Share of the window's red pixels that the model calls light."""
    return share_of(checkpoint, window, 1)


def share_of(checkpoint: Checkpoint, window: Window, label: int) -> float:
    """Share of the window's red pixels that the model calls something."""
    crops = read_crop_pair(IMAGE, window, checkpoint.model.config, checkpoint.metadata)
    with torch.no_grad():
        local, wide = torch.from_numpy(crops.local)[None], torch.from_numpy(crops.global_)[None]
        predicted = checkpoint.model.eval()(local, wide).local_logits.argmax(dim=1)[0].numpy()
    return float((predicted[LABELS.read(window) == 2] == label).mean())


@pytest.mark.parametrize(
    ("trains", "rate", "steps"), [("all", 3e-3, 40), ("adapters", 1e-2, 40), ("head", 2e-2, 150)]
)
def test_a_painted_place_is_seen_as_painted_and_the_old_model_stays(
    trained: Checkpoint, trains: Trains, rate: float, steps: int
) -> None:
    place = Window(96, 96, 64, 64)
    before = copy.deepcopy(trained.model.state_dict())
    assert share_of_light(trained, place) < 0.3
    options = FinetuneOptions(
        trains, steps=steps, batch_size=4, learning_rate=rate, rehearsal=0.0, device="cpu"
    )
    last = last_of(finetune(trained, CorrectedImage(IMAGE, painted(place), [place]), options))
    assert last.finished
    assert last.result is not None
    assert share_of_light(last.result.state, place) > 0.7
    assert last.result.after.miou > last.result.before.miou
    assert not last.result.is_held_out
    assert untouched(trained.model, before)
    assert set(last.result.state.model.state_dict()) == set(before)


def test_the_head_learns_and_the_blocks_stay_bit_for_bit(trained: Checkpoint) -> None:
    place = Window(96, 96, 64, 64)
    options = FinetuneOptions("head", steps=10, learning_rate=1e-2, device="cpu", rehearsal=0.0)
    result = last_of(
        finetune(trained, CorrectedImage(IMAGE, painted(place), [place]), options)
    ).result
    assert result is not None
    before, after = trained.model.state_dict(), result.state.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"head.weight", "head.bias"} <= changed
    assert changed <= {"head.weight", "head.bias", "backbone.relay_tokens"}


def test_only_ignored_pixels_are_nothing_to_learn_from(trained: Checkpoint) -> None:
    values = np.full(IMAGE.shape, 255, np.uint8)
    values[96:160, 96:160] = IGNORED
    corrected = CorrectedImage(IMAGE, ArrayLabels(values))
    with pytest.raises(UserError, match="Paint at least one correction"):
        next(finetune(trained, corrected, OPTIONS))


def test_what_a_place_is_not_becomes_less_likely_there(trained: Checkpoint) -> None:
    place = Window(96, 96, 64, 64)
    values = np.full(IMAGE.shape, 255, np.uint8)
    old = np.asarray(LABELS.array)
    values[place.slices] = np.where(old[place.slices] == 2, NOT_CLASS + 2, 255)
    options = FinetuneOptions("all", steps=30, learning_rate=2e-3, rehearsal=0.0, device="cpu")
    result = last_of(
        finetune(trained, CorrectedImage(IMAGE, ArrayLabels(values), [place]), options)
    ).result
    assert result is not None
    before = share_of(trained, place, 2)
    assert before > 0.7
    assert share_of(result.state, place, 2) < before / 2
    assert np.isnan(result.before.miou)  # it says of no pixel what it is
    assert "names a class" in result.reason


def test_stop_offers_the_best_weights_so_far(trained: Checkpoint) -> None:
    place, done = Window(96, 96, 64, 64), []
    run = finetune(
        trained,
        CorrectedImage(IMAGE, painted(place), [place]),
        FinetuneOptions("all", steps=500, learning_rate=3e-3, rehearsal=0.0, device="cpu"),
        should_stop=lambda: len(done) >= 12,
    )
    for progress in run:
        done.append(progress)
    assert len(done) == 13
    assert done[-1].finished
    result = done[-1].result
    assert result is not None
    assert result.steps == 13
    assert result.after.miou > result.before.miou


def test_told_to_stop_before_the_first_step_it_offers_nothing(trained: Checkpoint) -> None:
    place = Window(96, 96, 64, 64)
    corrected = CorrectedImage(IMAGE, painted(place), [place])
    assert list(finetune(trained, corrected, OPTIONS, should_stop=lambda: True)) == []


def test_corrections_of_two_images_are_learnt_together(trained: Checkpoint) -> None:
    image, labels = blobs(seed=3)
    here, there = Window(96, 96, 64, 64), Window(128, 64, 64, 64)
    other = np.full(image.shape, 255, np.uint8)
    other[there.slices] = np.where(labels.read(there) == 2, 1, labels.read(there))
    images = [
        CorrectedImage(IMAGE, painted(here)),
        CorrectedImage(image, ArrayLabels(other)),
    ]
    result = last_of(finetune(trained, images, OPTIONS)).result
    assert result is not None
    assert result.regions == 2
    assert result.before.pixels == 2 * 64 * 64


def forgetful_round(trained: Checkpoint, tmp_path: Path, largest_loss: float) -> FinetuneResult:
    """Every dark pixel is called red: what the model was trained on says otherwise."""
    reader = ExampleReader(IMAGE, LABELS, trained.model.config, trained.metadata)
    tiles = [reader.read(Window(y, x, 64, 64)) for y in (0, 256) for x in (0, 128, 256)]
    write_base_tiles(
        tmp_path / "base_tiles.npz",
        BaseTiles(tuple(tiles[:3]), tuple(tiles[3:]), (1.0,) * len(tiles[3:])),
    )
    known = replace(trained, base_tiles=tmp_path / "base_tiles.npz")
    place = Window(96, 96, 128, 128)
    wrong = np.full(IMAGE.shape, 255, np.uint8)
    wrong[place.slices] = np.where(LABELS.read(place) == 0, 2, LABELS.read(place))
    options = FinetuneOptions(
        "all",
        steps=40,
        learning_rate=3e-3,
        rehearsal=0.0,
        base=0.0,
        largest_loss=largest_loss,
        device="cpu",
    )
    corrected = CorrectedImage(IMAGE, ArrayLabels(wrong), [place])
    result = last_of(finetune(known, corrected, options)).result
    assert result is not None
    assert result.state.base_tiles == known.base_tiles
    return result


def test_weights_that_forget_are_taken_back_until_they_do_not(
    trained: Checkpoint, tmp_path: Path
) -> None:
    result = forgetful_round(trained, tmp_path, 0.01)
    assert result.base_before is not None
    assert result.base_after is not None
    assert result.recommended
    assert result.base_after.miou >= result.base_before.miou - 0.01
    assert result.after.miou > result.before.miou


def test_the_gate_says_no_when_nothing_may_be_lost_at_all(
    trained: Checkpoint, tmp_path: Path
) -> None:
    result = forgetful_round(trained, tmp_path, -1.0)
    assert not result.recommended
    assert "trained on" in result.reason


def test_rounds_together_may_lose_no_more_than_one(trained: Checkpoint) -> None:
    """A version remembers how good the model was at first."""
    record = {**trained.metadata.training, "finetuning": {"base_at_first": 0.9}}
    version = replace(trained, metadata=replace(trained.metadata, training=record))
    place = Window(96, 96, 64, 64)
    corrected = CorrectedImage(IMAGE, painted(place), [place])
    result = last_of(finetune(version, corrected, OPTIONS)).result
    assert result is not None
    assert result.state.metadata.training["finetuning"]["base_at_first"] == 0.9


def test_rehearsal_keeps_the_model_closer_to_what_it_was(trained: Checkpoint) -> None:
    place = Window(96, 96, 64, 64)
    agreement = []
    for weight in (0.0, 10.0):
        options = FinetuneOptions(
            steps=25, batch_size=4, learning_rate=2e-3, rehearsal=weight, device="cpu"
        )
        result = last_of(
            finetune(trained, CorrectedImage(IMAGE, painted(place), [place]), options)
        ).result
        assert result is not None
        agreement.append(result.agreement)
    assert agreement[1] > agreement[0]


def test_with_four_windows_one_is_held_out_and_measured(trained: Checkpoint) -> None:
    places = [Window(y, x, 64, 64) for y in (0, 128) for x in (0, 128)]
    last = last_of(finetune(trained, CorrectedImage(IMAGE, painted(*places), places), OPTIONS))
    assert last.result is not None
    assert last.result.is_held_out
    assert last.result.before.confusion.sum() == 64 * 64
    assert last.after == last.result.after.miou


def test_closing_early_leaves_the_old_model_as_it_was(trained: Checkpoint) -> None:
    place = Window(96, 96, 64, 64)
    before = copy.deepcopy(trained.model.state_dict())
    run = finetune(trained, CorrectedImage(IMAGE, painted(place), [place]), OPTIONS)
    steps = [next(run) for _ in range(3)]
    run.close()  # type: ignore[attr-defined]
    assert [p.step for p in steps] == [1, 2, 3]
    assert not any(p.finished or p.result for p in steps)
    assert untouched(trained.model, before)
    assert all(p.requires_grad and p.grad is None for p in trained.model.parameters())


@pytest.mark.parametrize("windows", [[], [Window(0, 0, 64, 64)]])
def test_without_any_correction_it_asks_to_paint_one(
    trained: Checkpoint, windows: list[Window]
) -> None:
    nothing = ArrayLabels(np.full(IMAGE.shape, 255, np.uint8))
    with pytest.raises(UserError, match="Paint at least one correction"):
        next(finetune(trained, CorrectedImage(IMAGE, nothing, windows), OPTIONS))


def test_crops_cover_a_window_of_any_size() -> None:
    for window in (Window(5, 7, 10, 20), Window(-3, 0, 200, 64), Window(0, 0, 65, 130)):
        counted = np.zeros((400, 400), int)
        for crop in cover(window, 64):
            counted[crop.y0 + 100 : crop.y1 + 100, crop.x0 + 100 : crop.x1 + 100] += 1
        inside = (window.y0 + 100, window.x0 + 100)
        part = counted[inside[0] : inside[0] + window.height, inside[1] : inside[1] + window.width]
        assert (part == 1).all()
        assert counted.max() == 1
