from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.training.datasets import open_dataset
from relay_tokens import UserError
from tests.training.datasets import trees


def test_the_folders_are_the_splits(tmp_path: Path) -> None:
    dataset = open_dataset(f"urur:{trees.urur(tmp_path)}")
    assert [s.split for s in dataset.samples] == ["train", "val", "test"]
    assert len({s.name for s in dataset.samples}) == 3
    assert dataset.classes.names == (
        "others",
        "building",
        "greenhouse",
        "woodland",
        "farmland",
        "bareland",
        "water",
        "road",
    )


def test_palette_colours_become_classes_whatever_their_place(tmp_path: Path) -> None:
    colors = [(240, 100, 80), (0, 0, 0), (255, 255, 255), (95, 163, 7), (230, 230, 230), (1, 2, 3)]
    sample = open_dataset(f"urur:{trees.urur(tmp_path, colors)}").of("test")[0]
    assert trees.first_row(sample.open_labels(), 6) == [7, 0, 255, 4, 1, 255]


def test_labels_without_colours_are_refused(tmp_path: Path) -> None:
    root = trees.urur(tmp_path)
    trees.save(root / "train/label/00000.png", trees.gray([1]))
    with pytest.raises(UserError, match=r"00000\.png has 1 bands.*three bands of 8 bits or a pal"):
        open_dataset(f"urur:{root}").samples[0].open_labels()


def test_a_missing_split_or_label_is_named(tmp_path: Path) -> None:
    root = trees.urur(tmp_path)
    (root / "val/label/00000.png").unlink()
    with pytest.raises(UserError, match=r"val/label/00000\.png is missing"):
        open_dataset(f"urur:{root}")
    (root / "val/label").rmdir()
    with pytest.raises(UserError, match=r"val/label is missing; expected the layout of URUR"):
        open_dataset(f"urur:{root}")


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    root = trees.urur(tmp_path)
    (root / "train/image/._00000.tif").write_bytes(np.zeros(8, np.uint8).tobytes())
    assert len(open_dataset(f"urur:{root}").samples) == 3
