"""A report says what a prediction holds, on pages that stand alone."""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting.progress import completed
from napari_relay.exporting.reporting import ReportOptions, export_report
from napari_relay.exporting.vectors import ObjectOptions
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from relay_tokens import Checkpoint, ClassSchema, UserError
from tests.exporting.reporting.predicted import CLASSES, UTM, blobs, labels_of, predict_blobs
from tests.inference.samples import make_image, value_checkpoint


class Page(HTMLParser):
    """The rows of a page's tables, its pictures, and what is open at its end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.pictures: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs)["src"] or "")
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predicted_gleason(folder: Path) -> tuple[PredictionStore, PyramidImage, Checkpoint]:
    """60 % grade 3, 37 % grade 4 and 3 % grade 5 of 100 × 100 px of tumour, the rest benign."""
    pixels = np.zeros((150, 100), np.uint8)
    pixels[:60], pixels[60:97], pixels[97:100] = 1, 2, 3
    image = make_image(pixels[..., None], pixel_size=(0.5, 0.5), unit="um")
    names = ClassSchema.from_names(["benign", "grade 3", "grade 4", "grade 5"])
    made = value_checkpoint(4, crop_size=256)
    checkpoint = Checkpoint(made.model, replace(made.metadata, classes=names))
    options = PredictOptions(device="cpu")
    store = PredictionStore.create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, None, options))
    return store, image, checkpoint


def test_a_folder_holds_pages_tables_and_pictures(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    folder = completed(export_report(store, image, tmp_path / "report"))
    found = {path.name for path in folder.iterdir()}
    pictures = {
        "overview.png",
        "mask.png",
        "confidence.png",
        "confidence-histogram.png",
        "sizes.png",
    }
    assert found == {"report.html", "report.md", "areas.csv", "objects.csv", *pictures}
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert not page.open
    assert len(page.pictures) == 5
    for source in page.pictures:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"!\[.*\]\((.*)\)", text)) == pictures


def test_areas_are_those_of_the_pixels_on_the_ground(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    folder = completed(export_report(store, image, tmp_path / "report"))
    rows = table(folder / "areas.csv")
    assert [row["class"] for row in rows] == ["class 0", "class 1", "class 2"]
    for label, row in enumerate(rows):
        pixels = int((blobs() == label).sum())
        assert int(row["pixels"]) == pixels
        assert float(row["area_m2"]) == pixels * 0.25
        assert float(row["area_ha"]) == pytest.approx(pixels * 0.25 / 1e4)
        assert float(row["share_percent"]) == pytest.approx(100 * pixels / (200 * 1100), rel=1e-4)
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.rows[0] == ["class", "area (ha)", "share", "pixels", "mean confidence"]
    assert page.rows[1][:2] == ["class 0", f"{(blobs() == 0).sum() * 0.25 / 1e4:.4g}"]


def test_objects_are_listed_counted_and_filtered(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    everything = completed(export_report(store, image, tmp_path / "all"))
    rows = table(everything / "objects.csv")
    assert sum(int(row["pixels"]) for row in rows) == 200 * 1100
    assert {row["unit"] for row in rows} == {"m"}
    large = ReportOptions(ObjectOptions(minimum_area=600.0, classes=("class 1",)))
    some = table(completed(export_report(store, image, tmp_path / "some", large)) / "objects.csv")
    expected = [r for r in rows if r["class"] == "class 1" and float(r["area"]) >= 600]
    assert 0 < len(some) == len(expected) < len(rows)
    page = (tmp_path / "some" / "report.html").read_text(encoding="utf-8")
    assert "Left out are objects smaller than 600 m²" in page
    assert ["class 1", str(len(some))] == next(
        row for row in reversed(Page(page).rows) if row[0] == "class 1"
    )[:2]


def test_a_report_of_an_area_counts_what_lies_inside(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    options = ReportOptions(ObjectOptions(within=shapely.box(0, 0, 70, 40)))
    folder = completed(export_report(store, image, tmp_path / "report", options))
    assert [int(row["pixels"]) for row in table(folder / "areas.csv")] == [70 * 40, 0, 0]
    assert "inside the areas alone: 700 m²" in (folder / "report.md").read_text(encoding="utf-8")


def test_an_incomplete_prediction_says_so(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", [Window(0, 0, 200, 300)])
    folder = completed(export_report(store, image, tmp_path / "report"))
    share = (labels_of(store, image) != 255).mean()
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert f"Only {share:.1%}".replace("%", "\u202f%") in text
    assert "px" in table_heading(folder)


def table_heading(folder: Path) -> str:
    return Page((folder / "report.html").read_text(encoding="utf-8")).rows[0][1]


def test_gleason_patterns_become_scores_that_are_not_for_diagnosis(tmp_path: Path) -> None:
    store, image, checkpoint = predicted_gleason(tmp_path / "s")
    options = ReportOptions(checkpoint=checkpoint)
    folder = completed(export_report(store, image, tmp_path / "report", options))
    html = (folder / "report.html").read_text(encoding="utf-8")
    rows = Page(html).rows
    assert ["needle biopsy", "3", "5", "–", "8", "4"] in rows
    assert ["prostatectomy", "3", "4", "5", "7", "2"] in rows
    assert ["grade 5", "3\u202f%"] in rows
    assert html.index("Not for diagnosis") < html.index("needle biopsy")
    assert "Not for diagnosis" in (folder / "report.md").read_text(encoding="utf-8")


def test_other_classes_have_no_gleason_score(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s")
    page = completed(export_report(store, image, tmp_path / "report.html"))
    assert "Gleason" not in page.read_text(encoding="utf-8")


def test_the_model_card_is_in_it_and_its_text_is_no_html(tmp_path: Path) -> None:
    store, image, checkpoint = predicted_gleason(tmp_path / "s")
    record = {"limits": "<script>alert(1)</script> one **slide** alone"}
    metadata = replace(checkpoint.metadata, training=record)
    options = ReportOptions(checkpoint=Checkpoint(checkpoint.model, metadata))
    page = completed(export_report(store, image, tmp_path / "report.html", options))
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "one <strong>slide</strong> alone" in text
    assert "<h4>Limits</h4>" in text


def test_corrections_are_counted_with_who_made_them(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    corrections = CorrectionStore.create(tmp_path / "c", image.shape, CLASSES, "stamp")
    corrections.write(Window(0, 0, 20, 40), np.full((20, 40), 2, np.uint8))
    corrections.log.person = "Ada"
    corrections.log.add("brush", Window(0, 0, 20, 40), {2: 800}, {2: "moat"})
    corrections.flush()
    options = ReportOptions(corrections=corrections)
    page = completed(export_report(store, image, tmp_path / "report.html", options))
    text = page.read_text(encoding="utf-8")
    assert ["moat", "200", "1"] in Page(text).rows
    assert "1 step by Ada" in text


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    image = make_image(blobs(60, 60)[..., None], source=Path("a|b <i>.tif"))
    names = ClassSchema.from_names(["soil | clay", "<b>mound</b>", "$moat$"])
    made, options = value_checkpoint(3, crop_size=256), PredictOptions(device="cpu")
    checkpoint = Checkpoint(made.model, replace(made.metadata, classes=names))
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    list(predict(checkpoint, image, store, None, options))
    folder = completed(export_report(store, image, tmp_path / "report"))
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert {"soil | clay", "<b>mound</b>"} <= {row[0] for row in page.rows}
    assert r"| soil \| clay |" in (folder / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("steps", [1, 5])
def test_a_report_that_is_given_up_leaves_nothing(tmp_path: Path, steps: int) -> None:
    store, image = predict_blobs(tmp_path / "s", **UTM)
    out = tmp_path / "out"
    out.mkdir()
    for name in ("report", "report.html"):
        export = export_report(store, image, out / name)
        for _ in range(steps):
            next(export)
        export.close()
    assert not list(out.iterdir())


def test_nothing_predicted_makes_a_report_all_the_same(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", [])
    page = completed(export_report(store, image, tmp_path / "report.html"))
    text = page.read_text(encoding="utf-8")
    assert "Only 0\u202f% of the image is predicted" in text
    assert "No objects." in text


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", [])
    with pytest.raises(UserError, match="exists already"):
        completed(export_report(store, image, tmp_path))
