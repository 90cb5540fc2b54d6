from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_relay.geometry import Window
from napari_relay.training import ArrayLabels, MaskLabels, compute_labels
from relay_tokens import UserError
from tests.training.scenes import CLASSES, pyramid

VALUES = np.random.default_rng(0).integers(0, 3, size=(50, 70)).astype(np.uint8)


@pytest.mark.parametrize("kind", [np.asarray, da.from_array, zarr.array])
def test_any_array_can_be_read_by_window(kind: object) -> None:
    labels = ArrayLabels(kind(VALUES))  # type: ignore[operator]
    np.testing.assert_array_equal(labels.read(Window(5, 6, 20, 30)), VALUES[5:25, 6:36])


def test_outside_the_array_nothing_is_labelled() -> None:
    labels = ArrayLabels(VALUES).read(Window(-4, 60, 10, 20))
    assert (labels[:4] == 255).all()
    assert (labels[:, 10:] == 255).all()
    np.testing.assert_array_equal(labels[4:, :10], VALUES[:6, 60:])


def test_computing_labels_block_by_block_changes_nothing() -> None:
    computed = compute_labels(ArrayLabels(VALUES), VALUES.shape, block=16)
    np.testing.assert_array_equal(computed.array, VALUES)


def test_a_mask_file_gives_its_classes_and_ignores_other_values(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[0, :3] = (3, 77, 255)
    tifffile.imwrite(tmp_path / "mask.tif", values)
    image = pyramid(np.zeros((50, 70, 3), np.uint8))
    labels = MaskLabels(tmp_path / "mask.tif", image, CLASSES).read(Window(0, 0, 50, 70))
    assert (labels[0, :3] == 255).all()
    np.testing.assert_array_equal(labels[1:], VALUES[1:])


def test_a_mask_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "mask.tif", VALUES)
    image = pyramid(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r"mask\.tif.*50 × 70.*64 × 64"):
        MaskLabels(tmp_path / "mask.tif", image, CLASSES)
