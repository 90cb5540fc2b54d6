"""What a dataset on disk becomes for training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.training import dataset_data
from napari_relay.training.datasets import Dataset, open_dataset
from relay_tokens import UserError

GRAYS = {"train": 40, "val": 80, "test": 200}


def folder(root: Path, counts: dict[str, int], side: int = 128) -> Dataset:
    """A plain folder of gray images, whose brightness tells the split."""
    (root / "images").mkdir()
    (root / "masks").mkdir()
    split: dict[str, list[str]] = {}
    for name, count in counts.items():
        split[name] = [f"{name}{i}" for i in range(count)]
        for stem in split[name]:
            pixels = np.full((side, side, 3), GRAYS[name], np.uint8)
            pixels[::2] += 10
            tifffile.imwrite(root / "images" / f"{stem}.tif", pixels, photometric="rgb")
            tifffile.imwrite(root / "masks" / f"{stem}.tif", np.zeros((side, side), np.uint8))
    (root / "classes.json").write_text(json.dumps({"classes": [{"name": "a"}, {"name": "b"}]}))
    (root / "split.json").write_text(json.dumps(split))
    return open_dataset(f"folder:{root}")


def test_val_is_held_out_and_test_is_not_touched(tmp_path: Path) -> None:
    data = dataset_data(folder(tmp_path, {"train": 3, "val": 2, "test": 4}), 64, 0.2, 0)
    assert [image.trainable_area > 0 for image in data.images] == [True] * 3 + [False] * 2
    assert "val" in data.held_out


def test_bands_are_measured_on_training_images_alone(tmp_path: Path) -> None:
    data = dataset_data(folder(tmp_path, {"train": 3, "val": 2}), 64, 0.2, 0)
    mean, std = data.statistics()
    assert mean == pytest.approx((45, 45, 45))
    assert std == pytest.approx((5, 5, 5))


def test_without_val_whole_images_are_held_out(tmp_path: Path) -> None:
    data = dataset_data(folder(tmp_path, {"train": 10}), 64, 0.2, 0)
    assert [image.trainable_area > 0 for image in data.images] == [True] * 8 + [False] * 2


def test_few_images_without_val_hold_out_blocks_of_each(tmp_path: Path) -> None:
    data = dataset_data(folder(tmp_path, {"train": 2}, side=256), 32, 0.2, 0)
    assert all(0 < image.trainable_area < 256**2 for image in data.images)


def test_a_dataset_without_training_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no images to train on"):
        dataset_data(folder(tmp_path, {"test": 2}), 64, 0.2, 0)
