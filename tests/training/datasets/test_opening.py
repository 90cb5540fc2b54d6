from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from napari_relay.geometry import Window
from napari_relay.training.datasets import dataset_names, open_dataset
from napari_relay.training.examples import ExampleReader
from relay_tokens import UserError
from tests.training.datasets import trees
from tests.training.scenes import METADATA, tiny_model


def test_a_dataset_is_named_by_its_kind_and_folder(tmp_path: Path) -> None:
    dataset = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path / 'a:b')}")
    assert (dataset.name, dataset.folder) == ("cityscapes", tmp_path / "a:b")


@pytest.mark.parametrize("text", ["imagenet:/data", "cityscapes", "/data/cityscapes"])
def test_an_unknown_kind_is_answered_with_those_that_exist(text: str) -> None:
    with pytest.raises(UserError) as error:
        open_dataset(text)
    assert repr(text) in str(error.value)
    assert all(f"{name}:FOLDER" in str(error.value) for name in dataset_names())


@pytest.mark.parametrize("name", dataset_names())
@pytest.mark.parametrize("missing", ["", "/no/such/folder"])
def test_a_folder_that_is_missing_is_named(name: str, missing: str) -> None:
    with pytest.raises(UserError, match=rf"^'{missing}' is not a folder; write {name}: .*\.$"):
        open_dataset(f"{name}:{missing}")


@pytest.mark.parametrize("name", dataset_names())
def test_an_empty_folder_is_told_the_layout(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected the layout of .*\.$") as error:
        open_dataset(f"{name}:{tmp_path}")
    assert str(tmp_path) in str(error.value)


def test_samples_travel_to_other_processes(tmp_path: Path) -> None:
    samples = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path)}").samples
    assert pickle.loads(pickle.dumps(samples)) == samples


def test_images_and_labels_open_on_the_same_grid(tmp_path: Path) -> None:
    sample = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path)}").of("train")[0]
    image = sample.open_image()
    assert image.bands == ("red", "green", "blue")
    window = Window(0, 0, *image.shape)
    again, given = sample.open_labels(), sample.open_labels(image)
    assert again.read(window).shape == image.shape
    assert (again.read(window) == given.read(window)).all()


def test_samples_give_training_examples(tmp_path: Path) -> None:
    sample = open_dataset(f"cityscapes:{trees.cityscapes(tmp_path)}").of("train")[0]
    image = sample.open_image()
    config = tiny_model().config
    reader = ExampleReader(image, sample.open_labels(image), config, METADATA)
    example = reader.read(Window(-2, -3, config.crop_size, config.crop_size))
    assert example.labels[2, 3:7].tolist() == [0, 1, 2, 255]
    assert (example.labels != 255).sum() == 3


def test_an_image_with_other_bands_is_refused(tmp_path: Path) -> None:
    root = trees.cityscapes(tmp_path)
    sample = open_dataset(f"cityscapes:{root}").samples[0]
    trees.save(sample.files[0], trees.gray([1]))
    with pytest.raises(UserError, match=r"leftImg8bit\.png has 1 bands.*3 \(red, green, blue\)"):
        sample.open_image()
