from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.training.datasets import open_dataset
from napari_relay.training.datasets.folder import split_by_name
from napari_relay.training.datasets.mask_file import look_up
from relay_tokens import UserError
from tests.training.datasets import trees


def classes(root: Path, *entries: object, **about: object) -> None:
    (root / "classes.json").write_text(json.dumps({"classes": entries, **about}))


def splits(root: Path, **lists: object) -> None:
    (root / "split.json").write_text(json.dumps(lists))


def test_masks_belong_to_images_by_name(tmp_path: Path) -> None:
    dataset = open_dataset(f"folder:{trees.plain(tmp_path)}")
    assert sorted(s.name for s in dataset.samples) == ["a", "b", "c"]
    assert {s.labels.path.stem for s in dataset.samples} == {"a", "b", "c"}  # type: ignore[attr-defined]
    assert dataset.bands == ("red", "green", "blue")
    assert trees.first_row(dataset.samples[0].open_labels(), 4) == [0, 1, 255, 255]


def test_values_and_colours_are_those_of_the_file(tmp_path: Path) -> None:
    root = trees.plain(tmp_path)
    classes(root, {"name": "b", "value": 2, "color": "#123456"}, {"name": "a", "value": 0})
    dataset = open_dataset(f"folder:{root}")
    assert dataset.classes.names == ("b", "a")
    assert dataset.classes.colors[0] == "#123456"
    assert trees.first_row(dataset.samples[0].open_labels(), 4) == [1, 255, 0, 255]


def test_masks_in_colours_are_understood_when_all_classes_have_one(tmp_path: Path) -> None:
    root = trees.plain(tmp_path, ["a"])
    mask = np.zeros((20, 30, 3), np.uint8)
    mask[0, :3] = [(0x12, 0x34, 0x56), (255, 0, 0), (1, 1, 1)]
    trees.save(root / "masks/a.png", mask)
    (sample,) = open_dataset(f"folder:{root}").samples
    with pytest.raises(UserError, match=r"a\.png has 3 bands .* one band of whole numbers"):
        sample.open_labels()
    classes(root, {"name": "x", "color": "#ff0000"}, {"name": "y", "color": "#123456"})
    (sample,) = open_dataset(f"folder:{root}").samples
    assert trees.first_row(sample.open_labels(), 3) == [1, 0, 255]


def test_a_tiff_mask_and_an_ome_tiff_image_go_together(tmp_path: Path) -> None:
    root = trees.plain(tmp_path, ["a"])
    tifffile.imwrite(root / "images/d.ome.tif", np.zeros((70, 80), np.uint16))
    tifffile.imwrite(root / "masks/d.tif", trees.gray([1], 70, 80), tile=(16, 16))
    (root / "images/a.png").unlink()
    dataset = open_dataset(f"folder:{root}")
    assert [s.name for s in dataset.samples] == ["d"]
    assert len(dataset.bands) == 1
    assert trees.first_row(dataset.samples[0].open_labels(), 2) == [1, 0]


def test_the_split_file_decides_and_leaves_out(tmp_path: Path) -> None:
    root = trees.plain(tmp_path)
    splits(root, train=["c"], val=["a"])
    dataset = open_dataset(f"folder:{root}")
    assert [(s.name, s.split) for s in dataset.samples] == [("c", "train"), ("a", "val")]
    assert dataset.notes == ("split.json leaves out b.",)


def test_without_a_split_file_names_decide_80_10_10() -> None:
    found = [split_by_name(f"image {number}") for number in range(4000)]
    shares = [found.count(split) / 4000 for split in ("train", "val", "test")]  # type: ignore[arg-type]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)
    # Of SHA-256; must never change, or images move between splits.
    assert [split_by_name(name) for name in ("hill", "north", "south")] == ["test", "val", "train"]


@pytest.mark.parametrize(
    ("lists", "sentence"),
    [
        ({"train": ["a", "z"]}, r"names z, which images does not hold"),
        ({"train": ["a"], "val": ["a"]}, r"lists a twice"),
        ({"training": ["a"]}, r"does not read"),
        ({"train": "a"}, r"does not read"),
        ({"train": []}, r"names no image"),
    ],
)
def test_a_wrong_split_file_is_told_why(tmp_path: Path, lists: dict, sentence: str) -> None:
    root = trees.plain(tmp_path)
    splits(root, **lists)
    with pytest.raises(UserError, match=rf"split\.json {sentence}"):
        open_dataset(f"folder:{root}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "lists no classes"),
        ('{"classes": 3}', "lists no classes"),
        ('{"classes": []}', "needs 1 to 254"),
        ('{"classes": ["wall"]}', "class 0 has no name"),
        ('{"classes": [{"name": "a", "value": "1"}]}', "write the colour as #rrggbb and the value"),
        ('{"classes": [{"name": "a", "color": "red"}]}', "#rrggbb"),
        ('{"classes": [{"name": "a"}, {"name": "a"}]}', "share a name"),
        ('{"classes": [{"name": "a", "value": 1}, {"name": "b"}]}', "have the same value"),
        ('{"classes": [{"name": "a"}], "ignore": 0}', "have the same value"),
        ('{"classes": [{"name": "a"}], "ignore": "no"}', "write a whole number"),
        (
            '{"classes": [{"name": "a", "color": "#000000"}, {"name": "b", "color": "#000000"}]}',
            "same colour",
        ),
    ],
)
def test_a_wrong_class_list_is_told_why(tmp_path: Path, content: str, sentence: str) -> None:
    root = trees.plain(tmp_path)
    (root / "classes.json").write_text(content)
    with pytest.raises(UserError, match=rf"classes\.json.*{sentence}.*\.$"):
        open_dataset(f"folder:{root}")


def test_an_image_without_mask_is_named(tmp_path: Path) -> None:
    root = trees.plain(tmp_path)
    (root / "masks/b.png").unlink()
    with pytest.raises(UserError, match=r"masks/b\.png is missing; draw it, or take"):
        open_dataset(f"folder:{root}")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    root = trees.plain(tmp_path)
    trees.photo(root / "images/a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg, a\.png share a name"):
        open_dataset(f"folder:{root}")


def test_a_mask_is_read_by_window_as_it_is_whole(tmp_path: Path) -> None:
    root = trees.plain(tmp_path, ["a"])
    values = np.random.default_rng(1).integers(0, 4, (50, 70), dtype=np.uint8)
    trees.photo(root / "images/a.png", 50, 70)
    trees.save(root / "masks/a.png", values)
    labels = open_dataset(f"folder:{root}").samples[0].open_labels()
    whole = labels.read(Window(-10, -10, 70, 90))
    assert (whole[:10] == 255).all()
    np.testing.assert_array_equal(whole[10:60, 10:80], np.where(values < 2, values, 255))
    np.testing.assert_array_equal(labels.read(Window(40, 60, 20, 20)), whole[50:70, 70:90])


def test_a_large_png_mask_is_the_same_through_the_cache(tmp_path: Path) -> None:
    root = trees.plain(tmp_path, ["a"])
    values = np.random.default_rng(1).integers(0, 2, (1100, 1040), dtype=np.uint8)
    trees.photo(root / "images/a.png", 1100, 1040)
    trees.save(root / "masks/a.png", values)
    for _ in range(2):
        labels = open_dataset(f"folder:{root}").samples[0].open_labels()
        found = labels.read(Window(1000, 1000, 90, 30))
        np.testing.assert_array_equal(found, values[1000:1090, 1000:1030])


@given(
    st.lists(st.integers(-5, 70_000), max_size=20),
    st.dictionaries(st.integers(-5, 70_000), st.integers(0, 254), min_size=1, max_size=20),
)
def test_looking_up_is_what_a_dictionary_does(codes: list[int], table: dict[int, int]) -> None:
    codes = [*codes, *table]
    assert look_up(np.array(codes), table).tolist() == [table.get(code, 255) for code in codes]
