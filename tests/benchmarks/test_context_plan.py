"""Which models are trained, in which order, and that all are treated alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.context_plan import ABLATIONS, MODELS, Run, planned_runs
from benchmarks.context_setting import FULL, SETTINGS, SMALL, Setting
from benchmarks.context_work import WorkFolder
from relay_tokens import UserError

RUNS = planned_runs(SMALL)


def test_all_models_of_one_seed_come_first_then_the_other_seeds_then_the_ablations():
    count = len(MODELS)
    assert RUNS[:count] == tuple(Run("models", variant, 0) for variant in MODELS)
    groups = [run.group for run in RUNS]
    assert groups == sorted(groups, reverse=True)
    assert [run.variant for run in RUNS if run.group == "ablations"] == list(ABLATIONS)


def test_relay_tokens_and_the_single_scale_model_come_first():
    assert {run.variant.name for run in RUNS[:2]} == {"relay", "single"}


def test_every_model_is_trained_once_from_each_seed():
    counted = Counter(run.key for run in RUNS)
    assert set(counted.values()) == {1}
    for variant in MODELS:
        seeds = [run.seed for run in RUNS if run.variant == variant]
        assert sorted(seeds) == list(SMALL.model_seeds)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ablations_are_trained_from_as_many_seeds_as_asked(count):
    runs = [run for run in planned_runs(SMALL, count) if run.group == "ablations"]
    assert len(runs) == count * len(ABLATIONS)
    assert {run.seed for run in runs} == set(SMALL.model_seeds[:count])


@pytest.mark.parametrize("setting", [SMALL, FULL])
def test_no_seed_of_land_is_used_twice(setting):
    seeds = [seed for _, seed in setting.lands()]
    assert len(set(seeds)) == len(seeds)
    assert not set(setting.test_seeds) & {*setting.train_seeds, *setting.val_seeds}


@pytest.mark.parametrize("setting", [SMALL, FULL])
def test_all_runs_learn_in_the_same_way_but_for_seed_and_the_ablated_loss(setting):
    alike = {
        replace(run.train_options(setting), seed=0, consistency_weight=0.1)
        for run in planned_runs(setting, 3)
    }
    assert len(alike) == 1
    changed = [r for r in RUNS if r.train_options(setting).consistency_weight != 0.1]
    assert [run.key for run in changed] == ["consistency_0-0"]


def test_each_ablation_changes_one_thing_of_the_relay_model():
    relay = next(variant for variant in MODELS if variant.name == "relay")
    base = relay.model_options(SMALL)
    for variant in ABLATIONS:
        model = replace(variant.model_options(SMALL), name=base.name)
        differing = [k for k, v in vars(base).items() if getattr(model, k) != v]
        assert len(differing) + (variant.consistency_weight != relay.consistency_weight) == 1


def test_no_relay_tokens_means_none_and_not_the_default_number():
    without = next(variant for variant in ABLATIONS if variant.name == "tokens_0")
    assert without.model_options(SMALL).num_relay_tokens == 0


@pytest.mark.parametrize("setting", SETTINGS.values())
def test_a_setting_survives_being_written(setting):
    assert Setting.from_json(setting.to_json()) == setting


def test_a_work_folder_of_another_setting_is_refused(tmp_path):
    assert WorkFolder.open(tmp_path, SMALL) == WorkFolder.load(tmp_path)
    with pytest.raises(UserError, match="another setting"):
        WorkFolder.open(tmp_path, replace(SMALL, steps=7))
