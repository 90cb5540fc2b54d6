"""What an export does while it runs, and what it refuses."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_relay.exporting import RasterOptions, completed, export_labels, export_raster
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.exporting.rasters.level import RasterLevel
from napari_relay.geometry import Window
from relay_tokens import UserError
from tests.exporting.rasters.predictions import (
    CLASSES,
    SLIDE,
    UTM,
    Predicted,
    make_prediction,
    noise,
)

NAMES = ["a.tif", "a.ome.tif", "a.ome.zarr", "a.png"]


@pytest.mark.parametrize("name", NAMES)
def test_progress_goes_from_nothing_to_all(predicted: Predicted, tmp_path: Path, name: str) -> None:
    store, image = predicted()
    steps = list(export_raster(store, image, tmp_path / name))
    assert steps[0].done == 0
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert steps[-1].done == steps[-1].total
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2])
def test_an_export_given_up_leaves_nothing_and_what_was_there(
    predicted: Predicted, tmp_path: Path, name: str, count: int
) -> None:
    store, image = predicted()
    folder = tmp_path / "out"
    folder.mkdir()
    if not name.endswith("zarr"):
        (folder / name).write_text("before")
    before = {path.name for path in folder.iterdir()}
    steps = export_raster(store, image, folder / name)
    for _ in range(count):
        next(steps)
    steps.close()
    assert {path.name for path in folder.iterdir()} == before
    assert all((folder / kept).read_text() == "before" for kept in before)


@pytest.mark.parametrize("quantity", ["classes", "confidence"])
def test_every_format_says_what_it_is(predicted: Predicted, tmp_path: Path, quantity: str) -> None:
    store, image = predicted(UTM)
    for name in NAMES:
        completed(export_raster(store, image, tmp_path / name, RasterOptions(quantity)))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        found = [RasterDescription.from_text(tiff.pages.first.description)]
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    found.append(RasterDescription.from_json(dict(group.attrs["napari_relay_raster"])))
    with Image.open(tmp_path / "a.png") as picture:
        found.append(RasterDescription.from_text(picture.text["Description"]))
    assert found == [RasterDescription(quantity, (quantity,), store.classes, UTM)] * 3


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", '{"software": "napari-relay", "quantity": "classes"}']
)
def test_other_texts_are_no_description(text: str) -> None:
    assert RasterDescription.from_text(text) is None


def test_scores_as_png_are_grey(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted()
    path = completed(export_raster(store, image, tmp_path / "a.png", RasterOptions("confidence")))
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), store.confidence[0][:200, :1100])


def test_probabilities_do_not_fit_into_a_png(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted()
    with pytest.raises(UserError, match=r"3 bands, which PNG .*\.tif"):
        completed(export_raster(store, image, tmp_path / "a.png", RasterOptions("probabilities")))


def test_probabilities_that_are_not_kept_are_one_sentence(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", probabilities=False)
    with pytest.raises(UserError, match="keeps no probabilities; predict again"):
        completed(export_raster(store, image, tmp_path / "a.tif", RasterOptions("probabilities")))


def test_a_window_outside_is_one_sentence(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted()
    with pytest.raises(UserError, match=r"lies outside .* 200 rows and 1100 columns"):
        completed(
            export_raster(
                store, image, tmp_path / "a.tif", RasterOptions(window=Window(500, 0, 9, 9))
            )
        )


@pytest.mark.parametrize("odd", [256, -1, 70_000])
def test_a_label_that_is_no_class_is_refused_and_never_wrapped(tmp_path: Path, odd: int) -> None:
    labels = np.zeros((600, 600), np.int32)
    labels[599, 599] = odd
    with pytest.raises(UserError, match=f"label {odd} does not fit into a class mask"):
        export_labels(labels, tmp_path / "a.tif", CLASSES, SLIDE)
    assert not list(tmp_path.glob("*a.tif*"))


def test_levels_that_are_given_are_read_instead_of_full_resolution(tmp_path: Path) -> None:
    full = noise(1024, 1024)
    marked = np.full((512, 512), 2, np.uint8)
    path = export_labels([full, marked], tmp_path / "a.tif", CLASSES)
    with tifffile.TiffFile(path) as tiff:
        np.testing.assert_array_equal(tiff.pages[0].asarray(), full)
        assert (tiff.pages[1].asarray() == 2).all()


def test_thinning_a_huge_array_takes_little_memory() -> None:
    class Counted:
        shape = (60_000, 60_000)

        def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
            rows, cols = (np.arange(*part.indices(60_000)) for part in key)
            span = [part.stop - part.start for part in key]
            assert max(span) <= 2048
            return ((rows[:, None] + cols[None]) % 251).astype(np.uint8)

    level = RasterLevel(Counted(), (469, 469), step=128)
    tracemalloc.start()
    found = level.read(Window(100, 100, 300, 300))[0]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows, cols = np.mgrid[100:400, 100:400] * 128
    np.testing.assert_array_equal(found, (rows + cols) % 251)
    assert peak < 2**22
