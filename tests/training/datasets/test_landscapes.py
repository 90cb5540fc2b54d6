from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.landscapes import LANDSCAPE_CLASSES, Landscape, write_landscape
from napari_relay.training.datasets import open_dataset
from relay_tokens import UserError


def write(folder: Path, seed: int) -> Landscape:
    landscape = Landscape(seed, (96, 128), scale=0.25)
    list(write_landscape(landscape, folder))
    return landscape


def test_a_landscape_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = write(tmp_path / "train" / "a", 3)
    write(tmp_path / "test" / "b", 4)
    dataset = open_dataset(f"landscape:{tmp_path}")
    assert [(s.name, s.split) for s in dataset.samples] == [
        ("train/a", "train"),
        ("test/b", "test"),
    ]
    assert dataset.classes == LANDSCAPE_CLASSES
    image = dataset.samples[0].open_image()
    window = Window(10, 20, 60, 70)
    wanted = made.read(window)
    pixels = image.read(window).pixels
    np.testing.assert_array_equal(pixels[..., :3], wanted.rgb)
    np.testing.assert_array_equal(pixels[..., 3], wanted.elevation)
    labels = dataset.samples[0].open_labels(image)
    np.testing.assert_array_equal(labels.read(window), wanted.labels)


def test_a_folder_without_landscapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"napari-relay landscape FOLDER/train/NAME"):
        open_dataset(f"landscape:{tmp_path}")
