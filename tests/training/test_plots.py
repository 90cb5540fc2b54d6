"""Pictures of runs and scores are drawn from what was measured."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from napari_relay.geometry import Window
from napari_relay.training import Scores
from napari_relay.training.evaluation import PredictedExample, evaluate, predict_examples
from napari_relay.training.examples import Example, ExampleReader
from napari_relay.training.figures import plain
from napari_relay.training.pictures import (
    ShownExample,
    class_picture,
    crop_picture,
    draw_examples,
)
from napari_relay.training.plots import (
    draw_confusion,
    draw_losses,
    draw_miou,
    draw_reliability,
    read_log,
    row_shares,
    running_mean,
    write_plots,
)
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata, UserError
from tests.training.scenes import CLASSES, METADATA, blobs, tiny_model

STEPS = 60


def examples(count: int = 3) -> list[Example]:
    image, labels = blobs()
    reader = ExampleReader(image, labels, tiny_model().config, METADATA)
    # The last window reaches beyond the image.
    return [reader.read(Window(0, 320 - 32 - 64 * i, 64, 64)) for i in range(count)]


def write_log(folder: Path) -> Path:
    names = "step,seconds,learning_rate,loss_local,loss_global,loss_consistency,loss_total,miou"
    with (folder / "log.csv").open("w", newline="") as stream:
        log = csv.writer(stream)
        log.writerow([*names.split(","), "accuracy"])
        for step in range(1, STEPS + 1):
            miou = 0.5 - abs(step - 40) / 100 if step % 20 == 0 else ""
            log.writerow([step, step, 1e-3, 1 / step, 2 / step, 0, 1.2 / step, miou, ""])
    return folder


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert np.asarray(picture.convert("L")).std() > 5
        return picture.size


def test_a_run_gets_a_picture_of_everything_it_measured(
    tmp_path: Path, trained: Checkpoint
) -> None:
    shown = examples()
    scores = evaluate(trained.model, shown)
    written = write_plots(write_log(tmp_path), trained, scores, shown)
    names = ["loss.png", "miou.png", "confusion.png", "reliability.png", "examples.png"]
    assert [path.name for path in written] == names
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == sorted(names)
    assert all(min(size(path)) > 300 for path in written)


def test_scores_without_calibration_and_examples_are_drawn_without_them(
    tmp_path: Path, trained: Checkpoint
) -> None:
    written = write_plots(write_log(tmp_path), trained, Scores(np.eye(3, dtype=np.int64)), [])
    assert [path.stem for path in written] == ["loss", "miou", "confusion"]


def test_a_folder_without_a_log_is_named(tmp_path: Path, trained: Checkpoint) -> None:
    with pytest.raises(UserError, match=r"log\.csv has no steps"):
        write_plots(tmp_path, trained, Scores(np.eye(3, dtype=np.int64)), [])
    (tmp_path / "log.csv").write_text("")
    with pytest.raises(UserError, match=r"log\.csv has no steps"):
        read_log(tmp_path / "log.csv")


def test_without_matplotlib_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(UserError, match=r"napari-relay\[train\]"):
        draw_confusion(Scores(np.eye(3, dtype=np.int64)), CLASSES)


def test_pictures_leave_pyplot_alone(tmp_path: Path) -> None:
    draw_losses(read_log(write_log(tmp_path) / "log.csv"))
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_the_miou_is_drawn_where_it_was_measured_and_its_best_is_named(tmp_path: Path) -> None:
    axes = draw_miou(read_log(write_log(tmp_path) / "log.csv")).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [20, 40, 60])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.3, 0.5, 0.3])
    assert axes.lines[1].get_label() == "best: 0.500 at step 40"


def test_a_log_without_any_score_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("step,learning_rate,loss_total,miou\n1,0.001,0.5,\n2,0.001,nan,\n")
    log = read_log(path)
    np.testing.assert_array_equal(log["loss_total"], [0.5, np.nan])
    for figure in (draw_losses(log), draw_miou(log)):
        rendered(figure)


def test_the_running_mean_of_few_steps_is_the_steps_themselves() -> None:
    values = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(running_mean(values), values)


def test_the_running_mean_spans_a_fiftieth_and_leaves_gaps_out() -> None:
    values = np.random.default_rng(0).normal(size=300)
    values[[7, 8]] = np.nan
    smooth = running_mean(values)
    assert smooth[100] == pytest.approx(values[97:104].mean())
    assert smooth[0] == pytest.approx(values[:4].mean())
    assert smooth[6] == pytest.approx(np.nanmean(values[3:10]))


def test_rows_of_the_confusion_matrix_add_up_to_one_or_are_empty() -> None:
    share = row_shares(np.array([[6, 2, 0], [0, 0, 0], [1, 1, 2]]))
    np.testing.assert_allclose(share[[0, 2]], [[0.75, 0.25, 0], [0.25, 0.25, 0.5]])
    assert np.isnan(share[1]).all()


def test_the_confusion_matrix_shows_its_numbers() -> None:
    scores = Scores(np.array([[6, 2, 0], [0, 0, 0], [1, 1, 2]]))
    axes = draw_confusion(scores, CLASSES).axes[0]
    shown = ["0.75", "0.25", "0.00", "0.25", "0.25", "0.50"]
    assert [text.get_text() for text in axes.texts] == shown
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dark", "light", "red"]


def test_bars_of_the_reliability_diagram_are_the_accuracy() -> None:
    labels = np.zeros(10, int)
    predicted = np.array([0] * 7 + [1] * 3)
    calibration = Scores.of(labels, predicted, np.full(10, 0.9), 2).calibration
    assert calibration is not None
    upper, lower = draw_reliability(calibration).axes
    heights = [bar.get_height() for bar in upper.patches]
    assert heights[13] == pytest.approx(0.7)
    assert np.isnan(heights[:13]).all()
    assert lower.patches[13].get_height() == 1
    assert upper.get_title() == "Expected calibration error 0.200"


def test_names_with_dollars_are_no_formulas() -> None:
    classes = ClassSchema.from_names([r"a$\nothing$", "b$", "c"])
    assert rendered(draw_confusion(Scores(np.eye(3, dtype=np.int64)), classes)).std() > 5
    assert plain("$1") == r"\$1"


def rendered(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]


def test_a_color_crop_looks_as_it_was_before_it_was_normalised() -> None:
    image, labels = blobs()
    example = ExampleReader(image, labels, tiny_model().config, METADATA).read(
        Window(64, 64, 64, 64)
    )
    pixels = np.asarray(image.levels[0][64:128, 64:128]) / 255
    np.testing.assert_allclose(crop_picture(example.crops.local, METADATA), pixels, atol=1e-6)


def test_a_color_crop_of_16_bits_is_stretched() -> None:
    metadata = replace(METADATA, mean=(3000.0,) * 3, std=(500.0,) * 3)
    crop = np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32)
    picture = crop_picture(crop, metadata)
    assert (picture.min(), picture.max()) == (0, 1)


def about(*bands: str) -> ModelMetadata:
    return ModelMetadata("t", CLASSES, bands, (100.0,) * len(bands), (10.0,) * len(bands))


def test_elevation_is_lit_from_the_north_west() -> None:
    rows, cols = np.mgrid[:20, :20].astype(np.float32)
    facing, away = (
        crop_picture((rows + cols)[None] / 10, about("elevation")),
        crop_picture(-(rows + cols)[None] / 10, about("elevation")),
    )
    assert facing[5:-5, 5:-5].min() > away[5:-5, 5:-5].max() + 0.2


def test_terrain_beside_other_bands_is_found_by_its_name() -> None:
    flat = np.zeros((2, 8, 8), np.float32)
    flat[0] = np.arange(8)
    picture = crop_picture(flat, about("intensity", "DTM"))
    assert picture.std() < 1e-6


def test_any_other_band_is_stretched_in_gray() -> None:
    crop = np.linspace(-1, 1, 400, dtype=np.float32).reshape(1, 20, 20)
    picture = crop_picture(crop, about("near infrared"))
    assert picture.shape == (20, 20, 3)
    assert (picture[0, 0] == 0).all()
    assert (picture[-1, -1] == 1).all()


def test_classes_have_their_colors_and_what_has_none_is_white() -> None:
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    valid = np.array([[True, True], [False, True]])
    picture = class_picture(labels, valid, CLASSES)
    first = [int(CLASSES.colors[0][k : k + 2], 16) / 255 for k in (1, 3, 5)]
    np.testing.assert_allclose(picture[0, 0], first)
    assert (picture[1] == 1).all()


@pytest.mark.parametrize("context_factor", [2, 4])
def test_the_outline_is_the_local_window_in_the_global_crop(context_factor: int) -> None:
    model = tiny_model(context_factor).eval()
    image, labels = blobs()
    example = ExampleReader(image, labels, model.config, METADATA).read(Window(64, 64, 64, 64))
    figure = draw_examples(
        [ShownExample("a", *predict_examples(model, [example]))], Checkpoint(model, METADATA)
    )
    (square, _) = figure.axes[4].patches
    side = 64 / context_factor
    # Pixel edges lie at halves: the middle of 64 pixels is 31.5.
    assert square.get_width() == square.get_height() == side
    assert (square.get_x() + side / 2, square.get_y() + side / 2) == (31.5, 31.5)


def test_a_single_scale_model_is_drawn_without_a_global_crop() -> None:
    model = tiny_model(context_factor=None).eval()
    image, labels = blobs()
    example = ExampleReader(image, labels, model.config, METADATA).read(Window(0, 0, 64, 64))
    rows = [ShownExample("a", one) for one in predict_examples(model, [example])]
    titles = [axes.get_title() for axes in draw_examples(rows, Checkpoint(model, METADATA)).axes]
    assert "global crop" not in titles
    assert "confidence" in titles


def test_the_legend_names_the_classes_and_what_has_none() -> None:
    (example,) = examples(1)
    model = tiny_model()
    unlabelled = example._replace(labels=np.full_like(example.labels, 255))
    for one, extra in ((examples(2)[1], []), (unlabelled, ["no label"])):
        shown = PredictedExample(one, np.zeros((64, 64), int), np.ones((64, 64), np.float32))
        figure = draw_examples([ShownExample("", shown)], Checkpoint(model, METADATA))
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert texts == ["dark", "light", "red", *extra]
