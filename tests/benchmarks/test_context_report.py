"""Numbers, tables and picture made of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.context_report import (
    ablations_table,
    models_table,
    setting_text,
    verdict,
    with_blocks,
    write_report,
)
from benchmarks.context_summary import Findings
from relay_tokens import UserError
from tests.benchmarks.documents import document, model

ROOT = Path(__file__).parents[2]
PAGE = "# Title\n\n<!-- verdict -->\nold\n<!-- end verdict -->\n\nStays.\n"


def test_mean_and_spread_are_those_of_a_sample():
    single = Findings.of(document()).models["single"]
    assert single.mean == pytest.approx(0.6)
    assert single.std == pytest.approx(0.1)
    assert Findings.of(document()).models["decision_fusion"].std is None


def test_models_are_compared_over_the_seeds_they_share():
    models = Findings.of(document()).models
    assert models["relay"].ratio(models["single"]) == pytest.approx(0.85 / 0.55)
    assert models["relay"].difference(models["decision_fusion"]) == pytest.approx(0.1)
    assert models["relay"].more_parameters(models["single"]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("relay", "params", "fusion", "met"),
    [
        (0.58, 1020, 0.57, True),
        (0.57, 1020, 0.56, False),
        (0.58, 1021, 0.57, False),
        (0.58, 1020, 0.59, False),
    ],
)
def test_the_target_needs_score_parameters_and_more_than_fusion(relay, params, fusion, met):
    found = document()
    found["models"] = {
        "single": model({0: 0.5}, 1000),
        "relay": model({0: relay}, params),
        "decision_fusion": model({0: fusion}, 1010),
    }
    assert Findings.of(found).meets_target is met
    assert f"is {'met' if met else 'not met'}." in verdict(found)


def test_the_target_is_open_while_a_model_is_missing():
    found = document()
    del found["models"]["decision_fusion"]
    assert Findings.of(found).meets_target is None
    assert "target" not in verdict(found)


def test_the_table_has_a_row_a_model_with_spread_ratio_and_parameters():
    rows = models_table(document()).splitlines()
    assert rows[0] == (
        "| model | mIoU | × single | mound | temple | calibration error | parameters | seeds |"
    )
    assert rows[2].startswith("| single-scale, local crop | 0.600 ± 0.100 | 1.00 | 0.250 | 0.500 |")
    assert rows[3] == (
        "| relay tokens | 0.850 ± 0.071 | 1.55 | 0.250 | 0.500 | 0.050 | 1,010 (+1.0%) | 2 |"
    )
    assert len(rows) == 5


def test_an_ablation_is_compared_with_the_relay_model_of_the_same_seeds():
    rows = ablations_table(document()).splitlines()
    assert rows[2] == "| none | 0.800 |  | 1,010 | 1 |"
    assert rows[3] == "| no relay tokens | 0.550 | -0.250 | 1,006 | 1 |"


def test_the_sentences_say_what_was_found():
    text = verdict(document())
    assert "0.850 ± 0.071, 1.55 times" in text
    assert "0.100 less" in text
    assert "25.0% of the pixels change class" in text
    assert "from 0.800 to 0.300" in text
    assert "5 of 22 runs finished" in setting_text(document())


def test_results_without_any_run_make_a_page_all_the_same():
    empty = document() | {"models": {}, "ablations": {}}
    assert verdict(empty) == "No run is finished."
    assert len(models_table(empty).splitlines()) == 2
    assert len(ablations_table(empty).splitlines()) == 2


def test_only_blocks_change_and_a_second_report_changes_nothing():
    once = with_blocks(PAGE, document())
    assert "old" not in once
    assert once.startswith("# Title\n\n<!-- verdict -->\nRelay tokens reach")
    assert once.endswith("<!-- end verdict -->\n\nStays.\n")
    assert with_blocks(once, document()) == once


def test_the_report_writes_page_and_a_small_picture(tmp_path):
    page, results = tmp_path / "docs" / "context.md", tmp_path / "context.json"
    page.parent.mkdir()
    page.write_text(PAGE)
    results.write_text(json.dumps(document()))
    write_report(results, page)
    assert "Relay tokens reach" in page.read_text()
    assert 5_000 < (tmp_path / "docs" / "images" / "context.png").stat().st_size < 200_000


def test_without_results_the_report_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"python -m benchmarks\.context"):
        write_report(tmp_path / "none.json", tmp_path / "page.md")


def test_the_documented_tables_are_what_the_results_say():
    results = json.loads((ROOT / "benchmarks" / "results" / "context.json").read_text())
    text = (ROOT / "docs" / "context.md").read_text()
    assert with_blocks(text, results) == text
    assert models_table(results) in text
    assert ablations_table(results) in text


def test_the_results_have_no_test_seed_among_those_that_were_learnt():
    used = json.loads((ROOT / "benchmarks" / "results" / "context.json").read_text())["setting"]
    assert not {*used["test_seeds"]} & {*used["train_seeds"], *used["val_seeds"]}
