from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.training import (
    ArrayLabels,
    ExampleReaders,
    LabelledImage,
    TrainOptions,
    labelled_image,
    split_image,
)
from napari_relay.training.examples import ExampleReader
from napari_relay.training.held_out import held_out_examples
from napari_relay.training.labelled_image import Opened, for_measuring, for_training
from napari_relay.training.sampling import CropSampler
from relay_tokens import UserError
from tests.training.scenes import METADATA, blobs, pyramid, tiny_model

CONFIG = tiny_model().config
PLAIN = TrainOptions(scale_jitter=1, color_jitter=0)


def make_readers(*images: LabelledImage) -> ExampleReaders:
    return ExampleReaders(images, CONFIG, METADATA)


def make_sampler(options: TrainOptions = PLAIN) -> CropSampler:
    image, labels = blobs()
    split = split_image(image.shape, 64, 0.2, 0)
    return CropSampler(make_readers(labelled_image(image, labels, split)), options)


def flat(side: int, value: int) -> Opened:
    """An image of one gray and one class."""
    pixels = np.full((side, side, 3), 40 * value, np.uint8)
    return Opened(pyramid(pixels), ArrayLabels(np.full((side, side), value, np.uint8)))


def test_a_batch_depends_on_the_seed_and_its_number_alone() -> None:
    options = TrainOptions(seed=3)
    first, again = make_sampler(options), make_sampler(options)
    other = make_sampler(replace(options, seed=4))
    first.batch(0, 2)
    wanted = first.batch(7, 2)
    assert bool((again.batch(7, 2).local == wanted.local).all())
    assert not bool((other.batch(7, 2).local == wanted.local).all())


@pytest.mark.parametrize("scale_jitter", [1, 2])
def test_labels_of_a_drawn_crop_fit_its_pixels(scale_jitter: float) -> None:
    batch = make_sampler(replace(PLAIN, scale_jitter=scale_jitter)).batch(0, 8)
    # Class 0 is dark, so its pixels are negative after normalisation; class 1 is light.
    brightness = batch.local.mean(dim=1)
    assert float((brightness[batch.labels == 0] < -0.5).float().mean()) > 0.95
    assert float((brightness[batch.labels == 1] > 0.5).float().mean()) > 0.95


def test_a_rare_class_is_drawn_as_often_as_a_common_one() -> None:
    image, labels = blobs()
    rare = np.zeros_like(np.asarray(labels.array))
    rare[100:110, 100:110] = 1
    source = ArrayLabels(rare)
    split = split_image(image.shape, 64, 0.1, 0, source)
    sampler = CropSampler(make_readers(labelled_image(image, source, split)), PLAIN)
    rng = np.random.default_rng(0)
    shown = [1 in source.read(sampler.place(rng).window) for _ in range(200)]
    # Half of the crops by class, half of those for class 1, besides chance meetings.
    assert 0.2 < np.mean(shown) < 0.6


def test_without_class_balance_crops_lie_anywhere() -> None:
    image, labels = blobs()
    rare = np.zeros_like(np.asarray(labels.array))
    rare[:6, :6] = 1
    source = ArrayLabels(rare)
    split = split_image((320, 320), 64, 0.1, 3)
    readers = make_readers(labelled_image(image, source, split))
    rng = np.random.default_rng(0)
    sampler = CropSampler(readers, replace(PLAIN, class_balance=0))
    assert np.mean([1 in source.read(sampler.place(rng).window) for _ in range(200)]) < 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_windows_are_as_wide_as_the_scale_jitter_allows(seed: int) -> None:
    sampler = make_sampler(replace(PLAIN, scale_jitter=2))
    window = sampler.place(np.random.default_rng(seed)).window
    assert window.height == window.width
    assert 32 <= window.height <= 128


def test_crops_of_half_and_double_the_ground_have_the_labels_under_their_pixels() -> None:
    image, labels = blobs()
    reader = ExampleReader(image, labels, CONFIG, METADATA)
    fine = reader.read(Window(16, 16, 32, 32)).labels
    np.testing.assert_array_equal(
        fine, labels.read(Window(16, 16, 32, 32)).repeat(2, 0).repeat(2, 1)
    )
    coarse = reader.read(Window(0, 0, 128, 128)).labels
    np.testing.assert_array_equal(coarse, labels.read(Window(0, 0, 128, 128))[1::2, 1::2])


def test_images_are_drawn_by_their_area_and_those_held_out_never() -> None:
    sampler = CropSampler(
        make_readers(
            for_training(lambda: flat(100, 0), 64),
            for_training(lambda: flat(300, 1), 64),
            for_measuring(lambda: flat(300, 2), 64),
        ),
        replace(PLAIN, class_balance=0),
    )
    rng = np.random.default_rng(0)
    counts = np.bincount([sampler.place(rng).image for _ in range(500)], minlength=3) / 500
    np.testing.assert_allclose(counts, [0.1, 0.9, 0], atol=0.05)


def test_a_class_of_one_image_is_found_among_many() -> None:
    images = [for_training(lambda: flat(128, 0), 64) for _ in range(9)]
    images.append(for_training(lambda: flat(128, 1), 64))
    sampler = CropSampler(make_readers(*images), replace(PLAIN, class_balance=1))
    rng = np.random.default_rng(0)
    assert np.mean([sampler.place(rng).image == 9 for _ in range(200)]) == pytest.approx(
        0.5, abs=0.1
    )


def test_few_of_many_images_are_open_at_a_time() -> None:
    opened: list[int] = []

    def opener(number: int) -> Opened:
        opened.append(number)
        return flat(70, 0)

    readers = make_readers(
        *(for_training(lambda n=n: opener(n), 64) for n in range(40))  # type: ignore[misc]
    )
    opened.clear()
    for number in [*range(40), *range(40)]:
        assert readers[number].image.shape == (70, 70)
    assert len(opened) == 80
    readers[39], readers[38]
    assert len(opened) == 80


def test_held_out_images_are_measured_whole_and_others_not_at_all() -> None:
    readers = make_readers(
        for_training(lambda: flat(128, 0), 64), for_measuring(lambda: flat(100, 1), 64)
    )
    examples = held_out_examples(readers, 99, 0)
    assert sum(int((e.labels == 1).sum()) for e in examples) == 100 * 100
    assert not any((e.labels == 0).any() for e in examples)


@pytest.mark.parametrize(
    ("name", "value"), [("class_balance", 1.5), ("scale_jitter", 0.5), ("accumulate", 3)]
)
def test_options_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=r"choose"):
        TrainOptions(**{name: value})  # type: ignore[arg-type]
