from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.training import (
    ArrayLabels,
    ExampleReaders,
    TrainOptions,
    labelled_image,
    split_image,
)
from napari_relay.training.sampling import CropSampler
from relay_tokens import UserError
from tests.training.scenes import METADATA, blobs, tiny_model

sizes = st.integers(130, 700)


@settings(max_examples=25, deadline=None)
@given(sizes, sizes, st.floats(0.05, 0.6), st.integers(0, 99))
def test_held_out_blocks_lie_in_the_image_and_leave_room(
    height: int, width: int, fraction: float, seed: int
) -> None:
    split = split_image((height, width), 64, fraction, seed)
    covered = np.zeros((height, width), int)
    for block in split.held_out:
        assert block.intersection(split.image) == block
        covered[block.slices] += 1
    assert covered.max() == 1
    assert 0 < covered.sum() < height * width


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99))
def test_no_training_crop_touches_a_held_out_pixel(seed: int) -> None:
    image, labels = blobs()
    split = split_image(image.shape, 64, 0.3, seed, labels)
    images = [labelled_image(image, labels, split)]
    readers = ExampleReaders(images, tiny_model().config, METADATA)
    sampler = CropSampler(readers, TrainOptions(seed=seed))
    rng = np.random.default_rng(seed)
    windows = [sampler.place(rng).window for _ in range(60)]
    assert not any(w.intersects(block) for w in windows for block in split.held_out)


def test_validation_windows_cover_the_held_out_blocks_once() -> None:
    split = split_image((300, 500), 64, 0.3, 1)
    counted = np.zeros((364, 564), int)
    for window in split.validation_windows():
        counted[window.slices] += split.owned(window)
    expected = np.zeros_like(counted)
    for block in split.held_out:
        expected[block.slices] = 1
    # A window may reach over into the next held-out block, never miss a pixel.
    np.testing.assert_array_equal(counted > 0, expected == 1)


def test_a_class_in_few_places_is_both_learnt_and_measured() -> None:
    values = np.zeros((512, 512), np.uint8)
    values[10:50, 10:50] = values[300:340, 400:440] = 1
    split = split_image(values.shape, 64, 0.2, 0, ArrayLabels(values))
    held = sum(int(values[block.slices].sum()) for block in split.held_out)
    assert 0 < held < values.sum()


def test_an_image_without_room_for_a_held_out_block_is_refused() -> None:
    with pytest.raises(UserError, match="at most 50"):
        split_image((100, 100), 64)
