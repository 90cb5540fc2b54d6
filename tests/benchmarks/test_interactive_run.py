"""A few steps of real rounds on a tiny landscape."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.interactive_domain import DOMAINS
from benchmarks.interactive_plan import METHODS, Run, compared, named_run, planned_runs
from benchmarks.interactive_report import BLOCKS
from benchmarks.interactive_results import gathered, is_done
from benchmarks.interactive_run import write_reference, write_rounds
from benchmarks.interactive_scores import known_predictions
from benchmarks.interactive_setting import FULL, SETTINGS, SMALL, Setting
from benchmarks.interactive_summary import summaries
from benchmarks.interactive_work import WorkFolder
from relay_tokens import UserError

SEED = 601
TINY = replace(
    SMALL,
    sides={"landscape": 320, "tissue": 256},
    reference_steps={"landscape": 1, "tissue": 1},
    reference_batch=1,
    base_windows={"landscape": 3, "tissue": 1},
    reference_seeds=(501,),
    test_seeds={"landscape": (SEED,), "tissue": (SEED,)},
    rounds=1,
    strokes=3,
    finetune_steps=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = WorkFolder.open(tmp_path_factory.mktemp("interactive"), TINY)
    write_reference(made, "landscape")
    return made


def done(folder: WorkFolder, method: str) -> dict:
    run = named_run(f"landscape-{method}-{SEED}")
    if not is_done(folder, run):
        write_rounds(folder, run)
    return json.loads(folder.result(run.key).read_text())


@pytest.mark.parametrize("method", ["naive", "forest", "queue", "random"])
def test_every_way_of_learning_is_scored_on_what_nobody_touched(folder, method):
    first, last = done(folder, method)["rounds"]
    assert first["remainder"] == first["shipped"]
    assert 0 < last["corrections"] <= TINY.strokes
    assert 0 < last["painted"] < 320 * 320
    for name in ("remainder", "shipped", "reference"):
        assert 0 <= last[name]["miou"] <= 1
        assert len(last[name]["iou"]) == 4
    assert last["train_cpu_seconds"] > 0
    assert last["view_cpu_seconds"] > 0
    assert (last["base"] is None) == (method == "forest")


def test_corrected_pixels_are_left_out_of_the_remainder(folder, monkeypatch):
    counted = []

    def confusion(truth, said, classes):
        counted.append((truth != 255).sum())
        return np.eye(classes, dtype=np.int64)

    monkeypatch.setattr("benchmarks.interactive_run.confusion_matrix", confusion)
    run = named_run("landscape-head-602")
    write_rounds(folder, run)
    rounds = json.loads(folder.result(run.key).read_text())["rounds"]
    assert counted == [320**2] * 3 + [320**2 - rounds[1]["painted"]] * 3


def test_a_run_that_was_stopped_between_rounds_goes_on_with_its_corrections(folder, tmp_path):
    stopped = WorkFolder.open(tmp_path, TINY)
    (tmp_path / "references").symlink_to(folder.path / "references")
    run = named_run(f"landscape-naive-{SEED}")
    write_rounds(WorkFolder(tmp_path, replace(TINY, rounds=0)), run, keep=True)
    write_rounds(stopped, run)
    resumed = json.loads(stopped.result(run.key).read_text())["rounds"]
    whole = done(folder, "naive")["rounds"]
    timeless = [{k: v for k, v in one.items() if "seconds" not in k} for one in resumed]
    assert timeless == [{k: v for k, v in one.items() if "seconds" not in k} for one in whole]
    assert not stopped.state(run.key).exists()


def test_the_ends_of_the_gap_are_predicted_once(folder, monkeypatch):
    done(folder, "naive")
    monkeypatch.setattr("benchmarks.interactive_scores.predicted", None)
    known = known_predictions(folder, "landscape", SEED)
    assert known.shipped.shape == known.reference.shape == (320, 320)


def test_results_make_every_block_of_the_page(folder):
    done(folder, "naive")
    document = gathered(folder, planned_runs(TINY))
    assert document["finished"] >= 1
    assert {"domain", "method", "seed", "rounds"} <= document["runs"][0].keys()
    assert summaries(document, "landscape")["naive"].courses[0].seed == SEED
    assert all(isinstance(block(document), str) for block in BLOCKS.values())


def test_every_method_runs_on_every_image_of_both_domains_once():
    runs = planned_runs(SMALL)
    assert len({run.key for run in runs}) == len(runs)
    assert {run.domain for run in runs} == set(DOMAINS)
    for domain in DOMAINS:
        mine = [run for run in runs if run.domain == domain]
        assert len(mine) == len(compared(SMALL, domain)) * len(SMALL.test_seeds[domain])
    assert all(named_run(run.key) == run for run in runs)


def test_nothing_is_chosen_or_learnt_on_images_that_are_scored():
    for setting in (SMALL, FULL):
        for tested in setting.test_seeds.values():
            seeds = [*tested, *setting.dev_seeds, *setting.reference_seeds]
            assert len(set(seeds)) == len(seeds)


def test_what_does_the_same_as_the_default_is_not_run_twice():
    names = [method.name for method in compared(SMALL, "landscape")]
    assert names[0] == "default"
    assert SMALL.usual["landscape"] not in names
    assert {"naive", "forest", "queue", "random"} <= set(names)


def test_methods_differ_from_the_default_in_what_their_name_says():
    usual = METHODS[0].options(SMALL, "landscape", 0)
    by_name = {method.name: method.options(SMALL, "landscape", 0) for method in METHODS}
    assert by_name["queue"] == by_name["random"] == usual
    assert by_name["head"] == replace(usual, trains="head")
    assert by_name["naive"].rehearsal == by_name["naive"].base == 0


@pytest.mark.parametrize("setting", SETTINGS.values())
def test_a_setting_survives_being_written(setting):
    assert Setting.from_json(setting.to_json()) == setting


def test_a_work_folder_of_another_setting_is_refused(tmp_path):
    WorkFolder.open(tmp_path, SMALL)
    with pytest.raises(UserError, match="another setting"):
        WorkFolder.open(tmp_path, TINY)


def test_a_key_names_its_run():
    run = Run("tissue", METHODS[1], 7)
    assert named_run(run.key) == run
