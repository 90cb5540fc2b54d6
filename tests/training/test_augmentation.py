from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.inference.crops import CropPair
from napari_relay.training.augmentation import Augmentation, random_augmentation
from napari_relay.training.examples import Example, augment


@given(st.integers(0, 3), st.booleans())
def test_image_global_crop_labels_and_validity_move_together(turns: int, mirror: bool) -> None:
    place = np.arange(64, dtype=np.float32).reshape(8, 8)
    example = Example(
        CropPair(place[None], place[None] + 100, place % 3 == 0), place.astype(np.uint8)
    )
    moved = augment(example, Augmentation(turns, mirror))
    np.testing.assert_array_equal(moved.crops.local[0], moved.labels)
    assert moved.crops.global_ is not None
    np.testing.assert_array_equal(moved.crops.global_[0] - 100, moved.labels)
    np.testing.assert_array_equal(moved.crops.valid, moved.labels % 3 == 0)


def test_the_eight_symmetries_are_all_different() -> None:
    square = np.arange(9).reshape(3, 3)
    moved = {Augmentation(t, m).move(square).tobytes() for t in range(4) for m in (False, True)}
    assert len(moved) == 8


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_colours_shift_within_the_jitter_and_labels_stay(seed: int) -> None:
    drawn = random_augmentation(np.random.default_rng(seed), color_jitter=0.2)
    assert all(abs(g - 1) <= 0.2 for g in drawn.gain)
    assert all(abs(b) <= 0.2 for b in drawn.bias)


def test_colours_vary_and_terrain_stays() -> None:
    crop = np.ones((4, 2, 2), np.float32)
    changed = Augmentation(gain=(2, 3, 4), bias=(1, 0, 0)).apply(crop)
    np.testing.assert_array_equal(changed[:, 0, 0], [3, 3, 4, 1])
