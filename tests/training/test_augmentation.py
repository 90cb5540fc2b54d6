from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.inference.crops import CropPair
from napari_relay.training.augmentation import Augmentation, random_augmentation
from napari_relay.training.sampling import CropSampler, Example, ExampleReader, augment
from napari_relay.training.splits import split_image
from tests.training.scenes import METADATA, blobs, tiny_model


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
    drawn = random_augmentation(np.random.default_rng(seed), 3, color_jitter=0.2)
    assert all(abs(g - 1) <= 0.2 for g in drawn.gain)
    assert all(abs(b) <= 0.2 for b in drawn.bias)


def make_sampler(seed: int) -> CropSampler:
    image, labels = blobs()
    reader = ExampleReader(image, labels, tiny_model().config, METADATA)
    return CropSampler(reader, split_image(image.shape, 64, 0.2, 0), seed)


def test_a_batch_depends_on_the_seed_and_its_number_alone() -> None:
    first, again, other = make_sampler(3), make_sampler(3), make_sampler(4)
    first.batch(0, 2)
    wanted = first.batch(7, 2)
    assert bool((again.batch(7, 2).local == wanted.local).all())
    assert not bool((other.batch(7, 2).local == wanted.local).all())


def test_labels_of_a_drawn_crop_fit_its_pixels() -> None:
    batch = make_sampler(0).batch(0, 8)
    # Class 0 is dark, so its pixels are negative after normalisation; class 1 is light.
    brightness = batch.local.mean(dim=1)
    assert float(brightness[batch.labels == 0].mean()) < -0.5
    assert float(brightness[batch.labels == 1].mean()) > 0.5


def test_a_rare_class_is_drawn_as_often_as_a_common_one() -> None:
    image, labels = blobs()
    rare = np.zeros_like(np.asarray(labels.array))
    rare[100:110, 100:110] = 1
    reader = ExampleReader(image, type(labels)(rare), tiny_model().config, METADATA)
    sampler = CropSampler(reader, split_image(image.shape, 64, 0.1, 0, reader.labels), 0)
    rng = np.random.default_rng(0)
    shown = [1 in reader.labels.read(sampler.window(rng)) for _ in range(200)]
    # Half of the crops by class, half of those for class 1, besides chance meetings.
    assert 0.2 < np.mean(shown) < 0.6
