from __future__ import annotations

from pathlib import Path

import pytest

from napari_relay.training.datasets import open_dataset
from relay_tokens import UserError
from tests.training.datasets import trees


def test_every_split_and_its_classes_are_found(tmp_path: Path) -> None:
    dataset = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path)}")
    assert [(s.name, s.split) for s in dataset.samples] == [
        ("aachen_000000_000019", "train"),
        ("munster_000001_000019", "val"),
    ]
    assert len(dataset.classes) == 19
    assert dataset.classes.names[13] == "car"
    assert dataset.classes.colors[0] == "#804080"


def test_label_ids_become_train_ids_and_void_is_ignored(tmp_path: Path) -> None:
    ids = [0, 3, 6, 7, 8, 9, 11, 14, 17, 18, 26, 29, 30, 31, 33, 255]
    dataset = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path, ids)}")
    labels = dataset.of("train")[0].open_labels()
    expected = [255, 255, 255, 0, 1, 255, 2, 255, 5, 255, 13, 255, 255, 16, 18, 255]
    assert trees.first_row(labels, len(ids)) == expected


def test_test_images_without_annotation_are_left_out_and_said_so(tmp_path: Path) -> None:
    dataset = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path)}")
    assert dataset.of("test") == ()
    assert dataset.notes == ("1 test images have no annotation and are left out.",)


def test_a_missing_training_annotation_is_named(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    mask = next(root.glob("gtFine/train/*/*.png"))
    mask.unlink()
    with pytest.raises(UserError, match=rf"{mask} is missing; unpack gtFine_trainvaltest\.zip"):
        open_dataset(f"cityscapes:{root}")


def test_a_coloured_annotation_is_refused(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    sample = open_dataset(f"cityscapes:{root}").samples[0]
    mask = next(root.glob("gtFine/train/*/*.png"))
    trees.photo(mask)
    with pytest.raises(UserError, match=r"has 3 bands of uint8; .* one band of whole numbers"):
        sample.open_labels()


def test_an_annotation_of_another_size_is_refused(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    trees.save(next(root.glob("gtFine/train/*/*.png")), trees.gray([7], 10, 10))
    with pytest.raises(UserError, match=r"10 × 10 pixels, the image .* 20 × 30"):
        open_dataset(f"cityscapes:{root}").samples[0].open_labels()
