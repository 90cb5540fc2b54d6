"""A report holds what was measured, on a page that can be passed on alone."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from napari_relay.inference import WithReport
from napari_relay.training.dataset_evaluation import (
    EvaluatedImage,
    Evaluation,
    EvaluationOptions,
    evaluate_images,
)
from napari_relay.training.labelled_image import Opened, for_measuring
from napari_relay.training.report import prepare_report, score_table, write_report
from relay_tokens import Checkpoint, ClassSchema, UserError
from tests.training.scenes import blobs


class Page(HTMLParser):
    """What a page says and which pictures it shows; every tag must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs)["src"] or "")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def evaluation(trained_run) -> Evaluation:
    images = []
    for seed in (0, 1):
        image, labels = blobs(96, seed)
        opened = Opened(image, labels)
        images.append(EvaluatedImage(f"blobs|{seed}", for_measuring(lambda o=opened: o, 64)))
    options = EvaluationOptions(limit=6, device="cpu", context_windows=2, shown=1)
    run = WithReport(evaluate_images(trained_run.checkpoint, images, "two scenes", options))
    list(run)
    assert run.report is not None
    return run.report


@pytest.fixture(scope="module")
def report(trained_run, evaluation, tmp_path_factory) -> Path:
    """A report that several tests read; none may change it."""
    folder: Path = tmp_path_factory.mktemp("reports") / "report"
    write_report(folder, evaluation, trained_run.checkpoint)
    return folder


def test_a_report_is_a_page_a_text_the_numbers_and_the_pictures(report: Path) -> None:
    names = {path.name for path in report.iterdir()}
    pictures = {"confusion.png", "reliability.png", "examples.png"}
    assert names == {"report.md", "report.html", "scores.json", *pictures}
    page = Page((report / "report.html").read_text(encoding="utf-8"))
    assert len(page.pictures) == 3
    assert all(src.startswith("data:image/png;base64,") for src in page.pictures)


def test_both_pages_say_what_was_measured_on_what(report: Path, evaluation: Evaluation) -> None:
    miou = f"{evaluation.scores.miou:.3f}"
    error = f"{evaluation.scores.calibration_error:.3f}"
    expected = ["tiny", "two scenes", "6 of 8", "seed 0", "cpu", miou, error, "dark", "UTC"]
    expected += [f"{evaluation.scores.pixels:,}", "2 windows", f"{evaluation.seconds:.1f} s"]
    text = (report / "report.md").read_text(encoding="utf-8")
    page = " ".join(Page((report / "report.html").read_text(encoding="utf-8")).words)
    for words in (text, page):
        assert [one for one in expected if one not in words] == []
    assert r"| blobs\|0 |" in text
    assert "blobs|0" in page


def test_the_tables_of_the_text_have_as_many_cells_in_every_row(report: Path) -> None:
    lines = (report / "report.md").read_text(encoding="utf-8").splitlines()
    tables, rows = [], []
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append(line.replace(r"\|", "").count("|"))
        elif rows:
            tables.append(rows)
            rows = []
    assert tables == [[7] * 5, [5] * 4]


def test_the_numbers_are_json_that_gives_the_scores_back(
    report: Path, evaluation: Evaluation
) -> None:
    record = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    scores = evaluation.scores
    assert record["confusion"] == scores.confusion.tolist()
    assert record["classes"]["light"]["iou"] == pytest.approx(scores.iou[1], abs=1e-5)
    assert record["calibration_error"] == pytest.approx(scores.calibration_error, abs=1e-5)
    assert sum(record["reliability"]["pixels"]) == record["pixels"] == scores.pixels
    assert list(record["images"]) == ["blobs|0", "blobs|1"]
    assert record["context"]["windows"] == 2


def test_a_later_report_takes_an_earlier_one_s_place_and_a_name_with_tags_is_no_tag(
    tmp_path: Path, evaluation: Evaluation, trained: Checkpoint
) -> None:
    for name in ("earlier.txt", "report.html"):
        (tmp_path / name).write_text("earlier")
    classes = ClassSchema.from_names(["<script>x</script>", "b|c", "d"])
    model = replace(evaluation.model, classes=classes)
    write_report(tmp_path, replace(evaluation, model=model), Checkpoint(trained.model, model))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "earlier" not in page
    assert r"b\|c" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "earlier.txt").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_class_that_does_not_occur_has_a_dash(evaluation: Evaluation) -> None:
    scores = evaluation.scores
    confusion = scores.confusion.copy()
    confusion[2], confusion[:, 2] = 0, 0
    table = score_table(replace(scores, confusion=confusion), evaluation.model.classes)
    assert table[2] == ("red", ("–", "–", "–", "–", "0.000"))


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    with pytest.raises(UserError, match=r"report cannot be written"):
        prepare_report(tmp_path / "report")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib.backends.backend_agg"])
def test_without_its_packages_the_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"napari-relay\[train\]"):
        prepare_report(tmp_path / "report")
    assert not (tmp_path / "report").exists()
