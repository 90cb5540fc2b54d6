"""What the report says of results made by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.interactive_figure import COLORS
from benchmarks.interactive_plan import METHODS
from benchmarks.interactive_report import methods_table, places_table, verdict, write_report
from benchmarks.interactive_summary import savings, summaries
from relay_tokens import UserError


def run(method: str, miou: list[float], base: list[float], seconds: float = 5.0) -> dict[str, Any]:
    """A run on the landscape of seed 1, ten corrections a round, between 0.2 and 0.8."""
    rounds = [
        {
            "round": number,
            "corrections": 10 * number,
            "painted": 100 * number,
            "recommended": True,
            "train_cpu_seconds": seconds if number else 0.0,
            "view_cpu_seconds": 1.0 if number else 0.0,
            "remainder": {"miou": reached, "iou": [reached]},
            "shipped": {"miou": 0.2, "iou": [0.2]},
            "reference": {"miou": 0.8, "iou": [0.8]},
            "base": {"miou": known, "iou": [known]},
        }
        for number, (reached, known) in enumerate(zip(miou, base, strict=True))
    ]
    return {"domain": "landscape", "method": method, "seed": 1, "rounds": rounds}


def document(*runs: dict[str, Any]) -> dict[str, Any]:
    return {
        "finished": len(runs),
        "planned": 8,
        "runs": list(runs),
        "setting": {
            "name": "small",
            "rounds": 2,
            "threads": 1,
            "machine": {"cores": 2, "processor": "x86_64", "system": "Linux", "python": "3.11"},
            "versions": {"torch": "2.0"},
        },
    }


GOOD = run("default", [0.2, 0.4, 0.56], [0.9, 0.9, 0.895])
NAIVE = run("naive", [0.2, 0.5, 0.6], [0.9, 0.7, 0.6])


def test_the_gap_is_measured_between_the_shipped_model_and_that_of_the_domain():
    found = summaries(document(GOOD), "landscape")["default"]
    assert found.closed == pytest.approx(0.6)
    assert found.base_loss == pytest.approx(0.005)
    assert found.seconds == pytest.approx(6.0)


def test_targets_that_are_met_are_said_to_be():
    text = verdict(document(GOOD, NAIVE))
    assert "closes 60% of the gap between 0.200 (shipped) and 0.800" in text
    assert text.count("is met") == 3
    assert "not met" not in text


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (run("default", [0.2, 0.3, 0.4], [0.9] * 3), "at least 50%, is not met"),
        (run("default", [0.2, 0.4, 0.6], [0.9] * 3, seconds=40), "30 s, is not met"),
        (run("default", [0.2, 0.4, 0.6], [0.9, 0.9, 0.88]), "less than naive, is not met"),
    ],
)
def test_a_target_that_is_not_met_is_said_not_to_be(default, said):
    assert said in verdict(document(default, NAIVE))


def test_forgetting_little_is_not_enough_where_naive_fine_tuning_forgets_less():
    kept = run("naive", [0.2, 0.5, 0.6], [0.9] * 3)
    assert "less than naive, is not met" in verdict(document(GOOD, kept))


def test_corrections_to_a_miou_are_counted_between_rounds():
    queue = run("queue", [0.2, 0.6, 0.7], [0.9] * 3)
    random = run("random", [0.2, 0.3, 0.5], [0.9] * 3)
    (saved,) = savings(summaries(document(queue, random), "landscape"))
    assert saved.miou == 0.5
    assert saved.queue == pytest.approx(7.5)
    assert saved.random == pytest.approx(20)
    assert saved.fewer
    assert "| landscape | 1 | 0.500 | 8 | 20 |" in places_table(document(queue, random))


def test_random_places_that_do_as_well_are_not_hidden():
    queue, random = (run(name, [0.2, 0.4, 0.5], [0.9] * 3) for name in ("queue", "random"))
    assert "on 0 of 1 images; the target, on all, is not met" in verdict(document(queue, random))


def test_the_table_has_a_row_a_method_and_says_what_was_not_measured():
    forest = run("forest", [0.2, 0.3, 0.4], [0.9] * 3)
    for one in forest["rounds"]:
        one["base"] = None
    rows = methods_table(document(GOOD, forest)).splitlines()
    assert len(rows) == 4
    assert rows[2].split(" | ")[-4:] == ["-0.5", "6.0", "0", "1 |"]
    assert rows[3].split(" | ")[-4] == ""


def test_the_page_and_its_picture_follow_the_results(tmp_path):
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    page.write_text("before\n<!-- verdict -->\nold\n<!-- end verdict -->\nafter\n")
    results.write_text(json.dumps(document(GOOD, NAIVE)))
    write_report(results, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- verdict -->\n- landscape")
    assert "old" not in text
    assert (tmp_path / "images" / "interactive.png").stat().st_size > 1000


def test_missing_results_are_a_plain_sentence(tmp_path):
    with pytest.raises(UserError, match=r"run python -m benchmarks\.interactive first"):
        write_report(tmp_path / "none.json", tmp_path / "page.md")


def test_every_method_has_a_colour_of_its_own():
    assert set(COLORS) == {method.name for method in METHODS}
    assert len(set(COLORS.values())) == len(COLORS)
