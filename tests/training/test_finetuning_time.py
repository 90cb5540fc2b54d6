from __future__ import annotations

import pytest

from napari_relay.training import FinetuneOptions
from napari_relay.training.finetuning_time import Clock, pass_seconds, round_seconds, suited
from tests.training.scenes import tiny_model


def test_a_quick_model_learns_with_all_weights_and_a_slow_one_with_its_head() -> None:
    quick, slow = suited(FinetuneOptions(), 0.002), suited(FinetuneOptions(), 0.5)
    assert (quick.trains, slow.trains) == ("all", "head")


@pytest.mark.parametrize("pass_", [0.001, 0.01, 0.03])
def test_what_is_chosen_fits_the_time(pass_: float) -> None:
    options = FinetuneOptions(seconds=20)
    chosen = suited(options, pass_)
    assert round_seconds(pass_, chosen) <= 20


def test_the_head_is_really_quicker() -> None:
    taken = [round_seconds(0.01, FinetuneOptions(t)) for t in ("head", "adapters", "all")]
    assert taken[0] < taken[1] / 2
    assert taken[1] < taken[2]


def test_the_guess_of_the_time_left_falls_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_relay.training.finetuning_time import RoundWork

    now = [0.0]
    monkeypatch.setattr("napari_relay.training.finetuning_time.time.monotonic", lambda: now[0])
    work = RoundWork(FinetuneOptions("all", steps=10), 20, 10, 0)
    clock, left = Clock(work), []
    for step in range(10):
        now[0] += 0.1 * work.of_step(step)
        left.append(clock.left(step + 1))
    assert left == sorted(left, reverse=True)
    assert left[0] == pytest.approx(0.1 * work.between(1, 10))
    assert left[-1] == 0


def test_measuring_the_speed_leaves_the_model_as_it_is() -> None:
    model = tiny_model().train()
    assert 0 < pass_seconds(model, "cpu") < 10
    assert model.training
