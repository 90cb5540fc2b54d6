from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.training import ArrayLabels
from napari_relay.training.datasets import open_dataset
from napari_relay.training.datasets.gleason import VALUES
from napari_relay.training.datasets.majority_map import MajorityMap
from relay_tokens import UserError
from tests.training.datasets import trees


def test_the_split_follows_slide_and_core(tmp_path: Path) -> None:
    splits = {
        "slide001_core015": "val",
        "slide001_core016": "train",
        "slide007_core003": "test",
        "slide007_core150": "test",
        "slide002_core145": "train",
    }
    for name in splits:
        trees.gleason(tmp_path, name, {1: [0]})
    dataset = open_dataset(f"gleason:{tmp_path}")
    assert {s.name: s.split for s in dataset.samples} == splits
    assert [s.split for s in dataset.samples] == ["train", "train", "val", "test", "test"]
    assert dataset.classes.names == ("benign", "grade 3", "grade 4", "grade 5")


def test_most_experts_decide_and_the_lower_value_wins_a_tie(tmp_path: Path) -> None:
    experts = {
        1: [3, 4, 0, 5, 6, 9, 9],
        2: [3, 4, 1, 5, 3, 9, 3],
        4: [4, 5, 3, 4, 3, 9, 9],
        6: [5, 5, 3, 0, 6, 9, 9],
    }
    sample = open_dataset(f"gleason:{trees.gleason(tmp_path, experts=experts)}").samples[0]
    # 3 of 3 3 4 5; 4 of 4 4 5 5; 3 of 0 1 3 3; 5 of 5 5 4 0; 3 of 6 3 3 6; none; the only known.
    assert trees.first_row(sample.open_labels(), 7) == [1, 2, 1, 3, 1, 255, 1]


def test_the_folders_may_be_nested_and_spelt_otherwise(tmp_path: Path) -> None:
    name = "slide003_core097"
    trees.photo(tmp_path / "Train_imgs" / f"{name}.jpg")
    nested = tmp_path / "Maps3_T" / "Maps3_T" / f"{name}_classimg_nonconvex.png"
    trees.save(nested, trees.gray([5]))
    (sample,) = open_dataset(f"gleason:{tmp_path}").samples
    assert trees.first_row(sample.open_labels(), 2) == [3, 0]


def test_an_image_without_map_is_left_out_and_said_so(tmp_path: Path) -> None:
    trees.gleason(tmp_path, experts={1: [3]})
    dataset = open_dataset(f"gleason:{trees.gleason(tmp_path, 'slide002_core001')}")
    assert [s.name for s in dataset.samples] == ["slide001_core020"]
    assert dataset.notes == ("slide002_core001 has no map and is left out.",)


def test_another_file_name_is_refused(tmp_path: Path) -> None:
    trees.gleason(tmp_path, "core_5", {1: [3]})
    with pytest.raises(UserError, match=r"core_5\.jpg is not named slideXXX_coreYYY\.jpg"):
        open_dataset(f"gleason:{tmp_path}")


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_window_of_the_majority_is_what_counting_gives(data: st.DataObject) -> None:
    """Each mask gives numbers of values, here of 0, 1, 2, 3, 4, 5, 6, and 255."""
    values = sorted(VALUES)
    count = data.draw(st.integers(1, 6))
    numbers = st.sampled_from([*range(len(values)), 255])
    maps = np.array(data.draw(st.lists(numbers, min_size=12 * count, max_size=12 * count)))
    maps = maps.reshape(count, 3, 4).astype(np.uint8)
    classes = tuple(VALUES[v] for v in values)
    majority = MajorityMap(tuple(map(ArrayLabels, maps)), classes)  # type: ignore[arg-type]
    found = majority.read(Window(-1, 1, 3, 4))
    assert found.shape == (3, 4)
    for (row, col), label in np.ndenumerate(found):
        y, x = row - 1, col + 1
        marks = maps[:, y, x].tolist() if 0 <= y < 3 and 0 <= x < 4 else []
        votes = Counter(mark for mark in marks if mark != 255)
        winner = min(votes, key=lambda mark: (-votes[mark], mark), default=None)
        assert label == (255 if winner is None else classes[winner])
