from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.inference.chunks import StoredArray
from napari_relay.inference.levels import TilePyramid, create_levels, padded_shape
from napari_relay.inference.sharding import Sharding
from relay_tokens import UserError

from .samples import make_image, noise, tiny_relay, value_checkpoint, value_image
from .tiles import assert_pattern_where_finished, pattern_store, pattern_tile

CPU = PredictOptions(device="cpu", attention=False)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300_000), width=st.integers(1, 300_000))
def test_every_level_halves_exactly_and_the_padding_is_small(height: int, width: int) -> None:
    rows, cols = padded_shape((height, width))
    step = 2
    while max(rows, cols) // step > 1024:
        step *= 2
    assert rows % step == cols % step == 0
    assert 0 <= rows - height < step
    assert 0 <= cols - width < step


@settings(max_examples=6, deadline=None)
@given(
    height=st.integers(1, 3000),
    width=st.integers(4200, 5200),
    stride=st.sampled_from([700, 1000, 1333]),
    seed=st.integers(0, 9),
)
def test_each_level_holds_every_second_pixel_of_the_one_below_after_reopening_too(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, stride: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("levels")
    group = zarr.create_group(path).create_group("labels")
    create_levels(group, (height, width), Sharding(512, 2048), 255)
    pyramid = TilePyramid(group)
    truth = np.random.default_rng(seed).integers(0, 9, (height, width)).astype(np.uint8)
    for y in range(0, height, stride):
        for x in range(0, width, stride):
            part = truth[y : y + stride, x : x + stride]
            pyramid.write(Window(y, x, *part.shape), part)
    pyramid.flush()
    expected = np.full(padded_shape((height, width)), 255, np.uint8)
    expected[:height, :width] = truth
    for opened in (pyramid, TilePyramid(zarr.open_group(path)["labels"])):
        for level, array in enumerate(opened.levels):
            np.testing.assert_array_equal(np.asarray(array[:]), expected[:: 2**level, :: 2**level])
    assert isinstance(pyramid.levels[-1], np.ndarray)
    assert isinstance(pyramid.levels[0], StoredArray)


def test_levels_in_memory_change_in_place(tmp_path: Path) -> None:
    image, checkpoint = value_image(100, 100), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    before = store.labels
    assert all((np.asarray(level) == 255).all() for level in before)
    list(predict(checkpoint, image, store, options=CPU))
    assert all(now is then for now, then in zip(store.labels, before, strict=True))
    pixels = image.levels[0][..., 0].compute()
    np.testing.assert_array_equal(before[0][:100, :100], pixels)
    np.testing.assert_array_equal(before[1][:50, :50], pixels[::2, ::2])


def test_other_programs_see_all_levels_after_a_run(tmp_path: Path) -> None:
    image, checkpoint = value_image(1100, 300), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    list(predict(checkpoint, image, store, options=CPU))
    group = zarr.open_group(tmp_path / "s", mode="r")
    for name, mine in (
        ("labels/classes", store.labels),
        ("confidence", store.confidence),
        ("entropy", store.entropy),
    ):
        assert len(mine) == 2
        for level, array in enumerate(mine):
            np.testing.assert_array_equal(group[f"{name}/{level}"][:], np.asarray(array))


@pytest.mark.parametrize(
    ("seed", "pixels", "settings", "reason"),
    [
        (1, 0, {}, "other weights"),
        (0, 1, {}, "another image"),
        (0, 0, {"halo": 0}, "another halo"),
        (0, 0, {"attention": False}, "another setting for attention"),
        (0, 0, {"attention_blocks": (0,)}, "another setting for attention"),
        (0, 0, {"attention_heads": "all"}, "another setting for attention"),
        (0, 0, {"probabilities": True}, "another setting for probabilities"),
    ],
)
def test_a_store_of_something_else_is_refused_with_the_reason(
    tmp_path: Path, seed: int, pixels: int, settings: dict[str, object], reason: str
) -> None:
    options = PredictOptions(device="cpu", halo=16)
    PredictionStore.create(tmp_path / "s", make_image(noise(90, 90)), tiny_relay(0), options)
    image = make_image(noise(90, 90, seed=pixels))
    wanted = replace(options, **settings)
    with pytest.raises(UserError, match=reason):
        PredictionStore.open_or_create(tmp_path / "s", image, tiny_relay(seed), wanted)


def test_all_blocks_by_name_are_all_blocks(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(90, 90)), tiny_relay()
    PredictionStore.create(tmp_path / "s", image, checkpoint)
    named = PredictOptions(attention_blocks=(-1, 0, 1), skip_glass=True, reader_threads=1)
    PredictionStore.open_or_create(tmp_path / "s", image, checkpoint, named)


def test_a_store_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 90, 90)
    group = zarr.open_group(store.folder)
    group.attrs["napari_relay"] = {**group.attrs["napari_relay"], "format_version": 1}
    with pytest.raises(UserError, match=r"s is not a prediction of this version .*predict again"):
        PredictionStore.open(store.folder)


def test_skipped_tiles_are_remembered_until_they_are_predicted(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 200)
    store.write([pattern_tile(store, (0, 0))])
    store.mark_skipped([(0, 0), (1, 1), (4, 3)])
    for opened in (store, PredictionStore.open(store.folder)):
        assert np.argwhere(opened.finished).tolist() == [[0, 0]]
        assert np.argwhere(opened.skipped).tolist() == [[1, 1], [4, 3]]
    store.write([pattern_tile(store, (1, 1))])
    assert np.argwhere(store.finished).tolist() == [[0, 0], [1, 1]]
    assert np.argwhere(store.skipped).tolist() == [[4, 3]]


def test_everything_of_a_tile_is_read_back(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 5000)
    some = [(0, 0), (2, 31), (4, 78), (4, 77)]
    store.write(pattern_tile(store, tile) for tile in some)
    for opened in (store, PredictionStore.open(store.folder)):
        assert opened.finished.sum() == len(some)
        assert_pattern_where_finished(opened)


def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(90, 90)), tiny_relay(context_factor=None)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    assert store.disagreement is None
    assert not store.has_probabilities
    with pytest.raises(UserError, match="keeps no probabilities; predict again"):
        store.read_probabilities(Window(0, 0, 9, 9))


def test_the_same_image_model_and_settings_open_the_same_store(tmp_path: Path) -> None:
    made = PredictionStore.create(tmp_path / "s", make_image(noise(90, 90)), tiny_relay(0))
    found = PredictionStore.open_or_create(
        tmp_path / "s", make_image(noise(90, 90)), tiny_relay(0), PredictOptions(batch_size=9)
    )
    assert found.header == made.header
    assert found.classes.names == ("class 0", "class 1", "class 2")


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="exists already"):
        PredictionStore.create(tmp_path / "s", value_image(9, 9), value_checkpoint(), CPU)
    assert (tmp_path / "s" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_what_is_no_store_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "zarr.json").write_text(content)
    with pytest.raises(UserError, match=r"/s is not a prediction"):
        PredictionStore.open(tmp_path / "s")


def test_a_halo_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    for halo, words in ((17, "choose 0 to 16"), (8, "multiple of 16 or switch attention off")):
        with pytest.raises(UserError, match=words):
            PredictionStore.create(
                tmp_path / "s", make_image(noise(90, 90)), tiny_relay(), PredictOptions(halo=halo)
            )
    assert not [p for p in tmp_path.iterdir() if p.name != "home"]


def test_a_full_disk_is_one_sentence_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    image, checkpoint = value_image(600, 600), value_checkpoint()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    tiles = predict(checkpoint, image, store, options=CPU)
    next(tiles)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(UserError, match=r"no room left to write .*what is finished is kept"):
            list(tiles)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again = PredictionStore.open(tmp_path / "s")
    assert 0 < again.finished.sum() < again.finished.size
    list(predict(checkpoint, image, again, options=CPU))
    np.testing.assert_array_equal(
        again.read_labels(image.window), image.levels[0][..., 0].compute()
    )
    assert not list((tmp_path / "s").rglob("*.partial"))


def test_a_huge_store_is_made_at_once_and_small(tmp_path: Path) -> None:
    huge = make_image(np.zeros((2, 2, 3), np.uint8), num_levels=1)
    level = huge.levels[0].map_blocks(lambda block: block, dtype=np.uint8)
    level = level.repeat(50_000, axis=0).repeat(50_000, axis=1)
    image = type(huge)((level, huge.levels[0]), (1.0, 50_000.0), huge.bands, huge.source)
    store = PredictionStore.create(tmp_path / "s", image, tiny_relay(), PredictOptions())
    assert store.shape == (100_000, 100_000)
    assert sum(f.stat().st_size for f in (tmp_path / "s").rglob("*") if f.is_file()) < 200_000
    pyramids = store.labels, store.confidence, store.entropy, store.disagreement or ()
    in_memory = [a for levels in pyramids for a in levels if isinstance(a, np.ndarray)]
    assert sum(array.nbytes for array in in_memory) < 60e6
