from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from napari_relay.geometry import Window
from napari_relay.training import (
    ArrayLabels,
    CorrectedImage,
    FinetuneOptions,
    FinetuneProgress,
    finetune,
)
from napari_relay.training.corrected_places import cover
from relay_tokens import Checkpoint, UserError
from tests.training.scenes import blobs

OPTIONS = FinetuneOptions(
    steps=10, batch_size=4, learning_rate=2e-3, replayed=6, evaluate_every=5, device="cpu"
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
    from napari_relay.inference.crops import read_crop_pair

    crops = read_crop_pair(IMAGE, window, checkpoint.model.config, checkpoint.metadata)
    with torch.no_grad():
        local, wide = torch.from_numpy(crops.local)[None], torch.from_numpy(crops.global_)[None]
        predicted = checkpoint.model.eval()(local, wide).local_logits.argmax(dim=1)[0].numpy()
    return float((predicted[LABELS.read(window) == 2] == 1).mean())


@pytest.mark.parametrize("trains", ["all", "head"])
def test_a_painted_place_is_seen_as_painted_and_the_old_model_stays(
    trained: Checkpoint, trains: str
) -> None:
    place = Window(96, 96, 64, 64)
    before = copy.deepcopy(trained.model.state_dict())
    assert share_of_light(trained, place) < 0.3
    options = FinetuneOptions(
        steps=40, batch_size=4, learning_rate=3e-3, rehearsal=0.1, trains=trains, device="cpu"
    )
    last = last_of(finetune(trained, CorrectedImage(IMAGE, painted(place), [place]), options))
    assert last.finished
    assert last.result is not None
    assert share_of_light(last.result.state, place) > 0.7
    assert last.result.after.miou > last.result.before.miou
    assert not last.result.is_held_out
    assert untouched(trained.model, before)


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
