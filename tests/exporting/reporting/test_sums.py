"""Areas and confidence of a prediction, against counting all pixels at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from napari_relay.exporting.reporting.sums import PredictionSums, sum_prediction
from napari_relay.geometry import Window
from napari_relay.inference.report import WithReport
from tests.exporting.reporting.predicted import CLASSES, labels_of, predict_blobs


def counted(store, within: shapely.Geometry | None = None) -> PredictionSums:
    counting = WithReport(sum_prediction(store, within))
    list(counting)
    assert counting.report is not None
    return counting.report


def test_every_pixel_is_counted_once_with_its_confidence(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s")
    sums, labels = counted(store), labels_of(store, image)
    confidence = np.asarray(store.confidence[0][:200, :1100])
    assert sums.pixels.tolist() == [int((labels == k).sum()) for k in range(len(CLASSES))]
    for k, mean in enumerate(sums.confidence):
        assert mean == pytest.approx(confidence[labels == k].mean() / 255)
    assert sums.classed == 200 * 1100
    assert sums.covered == 1


def test_tiles_that_are_not_finished_do_not_count(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s", [Window(0, 0, 200, 500)])
    sums, labels = counted(store), labels_of(store, image)
    assert sums.classed == (labels != 255).sum() < 200 * 1100
    assert sums.finished == sums.classed
    assert 0 < sums.covered < 1


def test_inside_an_area_only_its_pixels_count(tmp_path: Path) -> None:
    store, image = predict_blobs(tmp_path / "s")
    area = shapely.box(30, 20, 130, 90).difference(shapely.box(50, 40, 60, 50))
    sums, labels = counted(store, area), labels_of(store, image)
    inside = np.zeros(labels.shape, bool)
    inside[20:90, 30:130] = True
    inside[40:50, 50:60] = False
    assert sums.asked == inside.sum() == area.area
    assert sums.pixels.tolist() == [int((labels[inside] == k).sum()) for k in range(len(CLASSES))]


def test_a_class_that_does_not_occur_has_no_confidence() -> None:
    counts = np.zeros((2, 256), np.int64)
    counts[0, 51] = 10
    sums = PredictionSums(counts, 0, 10, 10, 0, 10)
    assert sums.confidence[0] == pytest.approx(0.2)
    assert np.isnan(sums.confidence[1])
    assert sums.mean_confidence == pytest.approx(0.2)
