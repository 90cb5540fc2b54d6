"""Tuning compares runs fairly, stops the worse ones, and goes on where it was."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.inference.lock import WriteLock
from napari_relay.training import (
    ArrayLabels,
    ExampleReaders,
    LabelSource,
    ModelOptions,
    TrainingData,
    TrainOptions,
    held_out_examples,
    labelled_image,
    split_image,
)
from napari_relay.training.labelled_image import LabelledImage, Opened, for_measuring, for_training
from napari_relay.training.labels import Labels
from napari_relay.training.measured_split import draw_measured, with_crop_size
from napari_relay.training.plots import read_log
from napari_relay.training.run_folder import BEST, LAST, LOG
from napari_relay.training.runs import RUN, model_config
from napari_relay.training.tuned_run import TunedRun, shown_columns
from napari_relay.training.tuning import RUNS, TuneProgress, tune
from napari_relay.training.tuning_plan import (
    Combination,
    TuneOptions,
    TuningPlan,
    build_ladder,
    plan_tuning,
)
from napari_relay.training.tuning_study import STUDY, TuningStudy
from relay_tokens import IGNORE_INDEX, UserError, load_checkpoint
from tests.training.scenes import CLASSES, METADATA, blobs

MODEL = ModelOptions(
    backbone_options={"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2}
)
OPTIONS = TrainOptions(
    steps=9, batch_size=2, validation_crops=2, learning_rate=3e-3, schedule="cosine", device="cpu"
)
FOUR = TuneOptions(relay_tokens=(2, 4), context_factors=(2,), crop_sizes=(16, 32))


def data_of(images: Sequence[LabelledImage]) -> TrainingData:
    return TrainingData(
        images=tuple(images),
        classes=CLASSES,
        bands=METADATA.bands,
        normalization=("fixed",) * 3,
        pixel_size=None,
        unit=None,
        description="squares",
        labels="known",
        held_out="blocks",
    )


def squares(largest: int = 32, labels: LabelSource | None = None) -> TrainingData:
    image, known = blobs(160)
    split = split_image(image.shape, largest, 0.2, 0, known)
    return data_of([labelled_image(image, labels or known, split)])


def planned(choices: TuneOptions = FOUR, options: TrainOptions = OPTIONS) -> TuningPlan:
    return plan_tuning(squares(max(choices.crop_sizes)), MODEL, options, choices)


def finished(plan: TuningPlan, folder: Path) -> tuple[list[TuneProgress], list[TunedRun]]:
    steps, run = [], tune(plan, folder)
    while True:
        try:
            steps.append(next(run))
        except StopIteration as end:
            return steps, end.value


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuningPlan, list[TunedRun]]:
    """A tuning that came to its end; no test may change it."""
    folder = tmp_path_factory.mktemp("tuned")
    plan = planned()
    return folder, plan, finished(plan, folder)[1]


def log_of(folder: Path, combination: Combination) -> dict[str, list[float]]:
    log = read_log(folder / RUNS / combination.name / RUN / LOG)
    return {name: values.tolist() for name, values in log.items()}


def test_losers_are_stopped_early_and_the_winner_has_all_its_steps(tuned):
    folder, plan, runs = tuned
    assert plan.ladder.rungs == (3, 9)
    assert [run.steps for run in runs] == [9, 3, 3, 3]
    assert [run.outcome for run in runs] == ["finished", "stopped", "stopped", "stopped"]
    model = load_checkpoint(folder / RUNS / runs[0].combination.name)
    assert model.metadata.training["held_out"]["miou"] == pytest.approx(runs[0].miou, abs=1e-4)
    assert sum(p.numel() for p in model.model.parameters()) == runs[0].parameters


def test_the_best_of_the_first_rung_goes_on(tuned):
    folder, plan, runs = tuned
    at_rung = {c.combination: log_of(folder, c.combination)["miou"][2] for c in plan.candidates}
    assert runs[0].combination == max(at_rung, key=lambda combination: at_rung[combination])


def test_a_run_that_goes_on_repeats_no_step(tuned):
    folder, _, runs = tuned
    assert log_of(folder, runs[0].combination)["step"] == list(range(1, 10))


def test_stopped_runs_leave_their_log_and_no_weights(tuned):
    folder, _, runs = tuned
    for run in runs[1:]:
        left = folder / RUNS / run.combination.name / RUN
        assert (left / LOG).exists()
        assert not (left / LAST).exists()
        assert not (left / BEST).exists()


def test_a_tuning_at_its_end_does_nothing_again(tuned):
    folder, plan, runs = tuned
    assert finished(plan, folder) == ([], runs)


def test_a_closed_tuning_goes_on_at_the_very_step(tmp_path):
    plan = planned()
    first = tune(plan, tmp_path)
    before = [next(first) for _ in range(8)]
    first.close()
    after, runs = finished(plan, tmp_path)
    steps = Counter((state.combination, state.run.step) for state in before + after)
    assert set(steps.values()) == {1}
    assert len(steps) == plan.ladder.total_steps(len(plan.candidates)) == after[-1].total
    assert [state.done for state in before + after] == list(range(1, len(steps) + 1))
    assert runs[0].steps == 9


@pytest.mark.parametrize(("killed_after", "save_every"), [(3, 50), (9, 1), (13, 50)])
def test_a_killed_tuning_goes_on_to_the_same_end(tuned, tmp_path, killed_after, save_every):
    plan, wanted = planned(options=replace(OPTIONS, save_every=save_every)), tuned[2]
    going = tune(plan, tmp_path / "killed")
    for _ in range(killed_after):
        next(going)
    # What is on disk at this moment is what a killed process leaves.
    shutil.copytree(tmp_path / "killed", tmp_path / "left")
    going.close()
    with (tmp_path / "left" / STUDY).open("ab") as stream:
        stream.write(b'{"op_code":7,"wor')
    (tmp_path / "left" / f"{STUDY}.lock").touch()
    runs = finished(plan, tmp_path / "left")[1]
    assert [run[:3] for run in runs] == [run[:3] for run in wanted]
    for run in runs:
        logged = log_of(tmp_path / "left", run.combination)["step"]
        assert logged[-run.steps :] == list(range(1, run.steps + 1))


def pixels_measured(images: Sequence[LabelledImage]) -> list[np.ndarray]:
    """How often each pixel of each image is measured."""
    counts = []
    for image in images:
        whole = image.split.image
        count = np.zeros((whole.height, whole.width), int)
        for window in image.split.validation_windows():
            shown = window.intersection(whole)
            inside = Window(shown.y0 - window.y0, shown.x0 - window.x0, *shown[2:])
            assert image.split.owned(window).sum() == image.split.owned(window)[inside.slices].sum()
            count[shown.slices] += image.split.owned(window)[inside.slices]
        counts.append(count)
    return counts


@given(
    st.tuples(st.integers(64, 150), st.integers(64, 150)),
    st.integers(8, 32),
    st.integers(8, 32),
    st.integers(1, 12),
    st.floats(0.1, 0.8),
)
def test_every_crop_size_measures_the_same_pixels_once(shape, one, other, at_most, fraction):
    opener = blobs  # never called
    images = [
        LabelledImage(split_image(shape, max(one, other), fraction), opener),
        LabelledImage(split_image((150, 64), max(one, other), fraction), opener),
    ]
    data = data_of(images)
    measured = draw_measured(images, at_most, 0)
    resized = [with_crop_size(data, measured, side).images for side in (one, other)]
    counts = [pixels_measured(images) for images in resized]
    for first, second in zip(*counts, strict=True):
        assert first.max() <= 1
        np.testing.assert_array_equal(first, second)
    total = sum(count.sum() for count in counts[0])
    assert 0 < total <= at_most * max(one, other) ** 2


def test_scores_of_all_crop_sizes_are_of_the_same_labels():
    plan = planned(replace(FOUR, crop_sizes=(16, 24, 32)), replace(OPTIONS, batch_size=9))
    found = []
    for candidate in plan.candidates:
        config = model_config(candidate.data, candidate.model)
        readers = ExampleReaders(candidate.data.images, config, METADATA)
        examples = held_out_examples(readers, candidate.options.validation_crops, 5)
        found.append(sum(np.bincount(e.labels.ravel(), minlength=256)[:255] for e in examples))
    assert {candidate.model.crop_size for candidate in plan.candidates} == {16, 24, 32}
    assert found[0].sum() == 2 * 32**2
    assert all((counts == found[0]).all() for counts in found)


def test_no_candidate_trains_where_another_is_measured():
    opened = Opened(*blobs(160))
    whole = [for_training(lambda: opened, 32), for_measuring(lambda: opened, 32)]
    plan = plan_tuning(data_of(whole), MODEL, OPTIONS, FOUR)
    for candidate in plan.candidates:
        assert [image.trainable_area for image in candidate.data.images] == [160 * 160, 0]


def test_batches_of_all_crop_sizes_have_as_many_pixels():
    plan = planned()
    pixels = {
        c.model.crop_size: c.model.crop_size**2 * c.options.batch_size for c in plan.candidates
    }
    assert pixels == {16: 2 * 32**2, 32: 2 * 32**2}


def test_what_cannot_be_tried_is_left_out_with_a_reason():
    plan = planned(TuneOptions((2,), (2, 3), (16, 20, 28, 32)))
    assert [c.combination for c in plan.candidates] == [
        Combination(2, 2, 16),
        Combination(2, 2, 32),
    ]
    reasons = " ".join(plan.skipped)
    assert "20 px are left out: crop_size 20 is not a multiple of 8" in reasons
    assert "28 px are left out: no number of them" in reasons
    assert "32 px with a context factor of 3" in reasons


def test_nothing_that_can_be_tried_is_refused():
    with pytest.raises(UserError, match=r"No combination can be tried.*not a multiple of 8"):
        planned(replace(FOUR, crop_sizes=(20,)))


def test_fewer_trials_are_drawn_without_repetition():
    choices = TuneOptions((1, 2, 3, 4), (2, 4), (16, 32), trials=7)
    tried = [c.combination for c in planned(choices).candidates]
    assert len(set(tried)) == len(tried) == 7
    other = planned(choices, replace(OPTIONS, seed=1)).candidates
    assert tried != [c.combination for c in other]


@given(st.integers(1, 300), st.integers(1, 5000), st.integers(2, 5), st.floats(0, 0.2))
def test_a_ladder_compares_no_run_before_its_warm_up_is_long_over(entrants, steps, by, warmup):
    options = TrainOptions(steps=steps, warmup_fraction=warmup)
    ladder = build_ladder(entrants, options, by)
    assert steps - steps / 2 < ladder.rungs[-1] <= steps
    assert all(later == by * rung for rung, later in pairwise(ladder.rungs))
    assert by ** (len(ladder.rungs) - 1) <= entrants
    if len(ladder.rungs) > 1:
        assert ladder.rungs[0] + 1 > 2 * warmup * steps
    assert ladder.rungs[-1] <= ladder.total_steps(entrants) <= entrants * ladder.rungs[-1]


def test_the_most_memory_a_run_needed_is_shown(tmp_path):
    study = TuningStudy(tmp_path, planned())
    assert "memory" not in shown_columns(study.runs())
    study.record_memory(1, 3 * 2**30)
    study.record_memory(1, 2 * 2**30)
    assert shown_columns(study.runs())["memory"] == ["–", "3.0 GiB", "–", "–"]


def test_the_example_in_the_documentation_says_what_it_costs():
    ladder = build_ladder(27, TrainOptions(steps=900), 3)
    assert ladder.rungs == (100, 300, 900)
    assert ladder.total_steps(27) == 6300


class Greedy:
    """Labels whose crops of 32 px and more find no room on the device."""

    def __init__(self, labels: ArrayLabels, side: int) -> None:
        self.labels, self.side = labels, side

    def read(self, window: Window) -> Labels:
        if window.height >= self.side:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.labels.read(window)


def test_runs_without_room_in_memory_fail_and_the_others_go_on(tmp_path):
    options = replace(OPTIONS, scale_jitter=1, steps=2)
    choices = replace(FOUR, relay_tokens=(2,))
    plan = plan_tuning(squares(labels=Greedy(blobs(160)[1], 32)), MODEL, options, choices)
    runs = finished(plan, tmp_path)[1]
    assert [(r.combination.crop_size, r.outcome) for r in runs] == [
        (16, "finished"),
        (32, "failed"),
    ]


def test_a_tuning_none_of_whose_runs_has_room_says_so(tmp_path):
    choices = replace(FOUR, relay_tokens=(2,))
    plan = plan_tuning(squares(labels=Greedy(blobs(160)[1], 16)), MODEL, OPTIONS, choices)
    with pytest.raises(UserError, match=r"cpu has too little memory.*smaller"):
        finished(plan, tmp_path)


def test_measuring_where_nothing_is_labelled_is_refused(tmp_path):
    data = squares()
    [block, *_] = data.images[0].split.held_out
    values = np.full((160, 160), IGNORE_INDEX, np.uint8)
    values[: block.y0 or 32] = 1
    data = squares(labels=ArrayLabels(values))
    for hidden in data.images[0].split.held_out:
        values[hidden.slices] = IGNORE_INDEX
    plan = plan_tuning(data, MODEL, replace(OPTIONS, steps=1), replace(FOUR, relay_tokens=(2,)))
    with pytest.raises(UserError, match=r"held-out windows has a label.*seed"):
        finished(plan, tmp_path)


def test_a_folder_of_another_tuning_is_refused(tmp_path):
    tune_some = tune(planned(), tmp_path)
    next(tune_some)
    tune_some.close()
    with pytest.raises(UserError, match="other settings"):
        finished(planned(replace(FOUR, reduction=2)), tmp_path)


def test_a_folder_another_process_works_in_is_refused(tmp_path):
    with WriteLock(tmp_path, tmp_path).held(), pytest.raises(UserError, match="another process"):
        finished(planned(), tmp_path)


def test_a_damaged_study_is_named(tmp_path):
    (tmp_path / STUDY).write_bytes(b"\0\1\2 no study\n")
    with pytest.raises(UserError, match=STUDY):
        finished(planned(), tmp_path)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"relay_tokens": ()}, "tokens is"),
        ({"context_factors": (2, 1)}, "context_factors is .* at least 2"),
        ({"crop_sizes": (4,)}, "crop_sizes is .* at least 8"),
        ({"reduction": 1}, "reduction is 1"),
        ({"trials": 0}, "trials is 0"),
    ],
)
def test_choices_that_are_none_are_refused(choices, sentence):
    with pytest.raises(UserError, match=sentence):
        TuneOptions(**choices)
