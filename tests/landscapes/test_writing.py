from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import rasterio
import typer
from rio_cogeo import cog_validate
from typer.testing import CliRunner

from napari_relay.cli.landscape import landscape as command
from napari_relay.images import open_image
from napari_relay.images.halving import halve
from napari_relay.landscapes import (
    LANDSCAPE_CLASSES,
    Landscape,
    WriteProgress,
    read_landscape_file,
    write_landscape,
)
from napari_relay.training.mask_labels import MaskLabels
from relay_tokens import UserError

LAND = Landscape(seed=6, size=(600, 1032))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("land") / "six"
    progress = list(write_landscape(LAND, folder))
    assert progress == [WriteProgress(k, 6) for k in range(1, 7)]
    return folder


@pytest.fixture(scope="module")
def patch():
    return LAND.read(LAND.window)


def test_reading_back_gives_the_generator_bit_for_bit(written, patch):
    elevation, photo, labels = (
        open_image(written / f"{name}.tif") for name in ("elevation", "orthophoto", "labels")
    )
    np.testing.assert_array_equal(elevation.read(LAND.window).pixels[..., 0], patch.elevation)
    np.testing.assert_array_equal(photo.read(LAND.window).pixels, patch.rgb)
    np.testing.assert_array_equal(labels.read(LAND.window).pixels[..., 0], patch.labels)


@pytest.mark.parametrize("name", ["elevation", "orthophoto", "labels"])
def test_every_file_is_a_valid_cloud_optimized_geotiff(written, name):
    valid, errors, warnings = cog_validate(written / f"{name}.tif", strict=True)
    assert valid, (errors, warnings)


def test_the_files_lie_on_one_grid_and_name_their_bands(written):
    images = [open_image(written / f"{name}.tif") for name in ("elevation", "orthophoto", "labels")]
    for image in images:
        assert image.factors == (1.0, 2.0, 4.0)
        assert (image.crs, image.pixel_size, image.unit) == ("EPSG:32648", (0.5, 0.5), "m")
        assert image.affine == (0.5, 0.0, 370_000.0, 0.0, -0.5, 1_490_000.0)
    assert [image.dtype for image in images] == [np.float32, np.uint8, np.uint8]
    assert images[0].bands == ("elevation",)
    assert images[1].bands == ("red", "green", "blue")


def test_coarser_levels_are_true_means(written, patch):
    elevation = open_image(written / "elevation.tif")
    expected = halve(halve(patch.elevation[..., None]))
    np.testing.assert_allclose(elevation.read(LAND.window, 2).pixels, expected, atol=1e-4)


def test_the_labels_say_what_they_mean_and_suit_training(written, patch):
    with rasterio.open(written / "labels.tif") as file:
        assert json.loads(file.tags()["CLASSES"]) == list(LANDSCAPE_CLASSES.names)
        assert (file.tags()["SEED"], file.nodata) == ("6", 255)
        assert file.block_shapes == [(512, 512)]
    image = open_image(written / "orthophoto.tif")
    labels = MaskLabels(written / "labels.tif", image, LANDSCAPE_CLASSES).read(LAND.window)
    np.testing.assert_array_equal(labels, patch.labels)


def test_a_stopped_writing_leaves_nothing_behind(tmp_path):
    progress = write_landscape(LAND, tmp_path / "land")
    next(progress)
    assert len(list((tmp_path / "land").iterdir())) == 3
    progress.close()
    assert not list((tmp_path / "land").iterdir())


def test_memory_does_not_grow_with_the_land(tmp_path):
    peaks = []
    for width in (512, 1536):
        tracemalloc.start()
        list(write_landscape(Landscape(seed=1, size=(512, width)), tmp_path / str(width)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_files_that_are_there_are_kept(written):
    before = (written / "labels.tif").read_bytes()
    with pytest.raises(UserError, match=r"has orthophoto\.tif already; choose another folder"):
        next(write_landscape(Landscape(seed=7, size=(9, 9)), written))
    assert (written / "labels.tif").read_bytes() == before


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "deeper"):
        with pytest.raises(UserError, match=r"taken.* is a file; choose a folder"):
            next(write_landscape(LAND, folder))


def test_a_disk_that_is_too_full_is_said_before_anything_is_written(tmp_path):
    largest = Landscape(size=(32768, 32768))
    # No test machine has room for this many copies of it.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("napari_relay.landscapes.writing.BYTES_PER_PIXEL", 10**9)
        with pytest.raises(UserError, match=r"has room for .* GB but the landscape may need"):
            next(write_landscape(largest, tmp_path / "land"))
    assert not list((tmp_path / "land").iterdir())


def test_the_command_writes_the_same_land(tmp_path, written):
    app = typer.Typer()
    app.command()(command)
    words = [str(tmp_path / "out"), "--size", "300", "--seed", "6"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"Wrote {tmp_path / 'out'}" in result.stdout
    with rasterio.open(tmp_path / "out" / "labels.tif") as file:
        own = file.read(1)
    with rasterio.open(written / "labels.tif") as file:
        np.testing.assert_array_equal(own, file.read(1)[:300, :300])


def test_the_command_writes_a_file_to_compute_from(tmp_path):
    app = typer.Typer()
    app.command()(command)
    path = tmp_path / "land.landscape"
    words = [str(path), "--size", "16384", "--seed", "7"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"Wrote {path}" in result.stdout
    assert read_landscape_file(path) == Landscape(7, (16384, 16384))
    assert path.stat().st_size < 100
