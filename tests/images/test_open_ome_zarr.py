from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_relay.images import open_image
from relay_tokens import UserError

TYPES = {"t": "time", "c": "channel"}


def write(path: Path, levels: list[np.ndarray], axes: str, version: str = "0.5", **extra):
    """An OME-Zarr image whose level 0 has pixels of 0.5 × 0.25 µm."""
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for k, level in enumerate(levels):
        array = group.create_array(str(k), shape=level.shape, chunks=level.shape, dtype=level.dtype)
        array[...] = level
        size = {"y": 0.5 * 2**k, "x": 0.25 * 2**k}
        scale = {"type": "scale", "scale": [size.get(axis, 1.0) for axis in axes]}
        datasets.append({"path": str(k), "coordinateTransformations": [scale]})
    named = [
        {"name": axis, "type": TYPES.get(axis, "space")}
        | ({"unit": "micrometer"} if axis in "zyx" else {})
        for axis in axes
    ]
    metadata = {"multiscales": [{"axes": named, "datasets": datasets}], **extra}
    group.attrs.update({"ome": {"version": "0.5", **metadata}} if version == "0.5" else metadata)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tyx", "czyx", "tczyx"])
def test_any_axes_of_either_version(tmp_path, rng, axes, version):
    sizes = {"t": 2, "c": 3, "z": 4, "y": 20, "x": 30}
    pixels = rng.integers(0, 9999, [sizes[a] for a in axes], dtype=np.uint16)
    image = open_image(write(tmp_path / "a.ome.zarr", [pixels], axes, version))
    first = pixels[tuple(0 if a in "tz" else slice(None) for a in axes)]
    expected = np.moveaxis(first, 0, 2) if "c" in axes else first[..., None]
    np.testing.assert_array_equal(image.read(image.window).pixels, expected)
    assert (image.pixel_size, image.unit) == ((0.5, 0.25), "um")


def test_its_levels_and_channel_names_are_used(tmp_path, rng, pyramids):
    pixels = rng.random((2, 1200, 1100), dtype=np.float32)
    channels = [{"label": "DAPI"}, {"label": "CD3"}]
    levels = [pixels, pixels[:, ::2, ::2]]
    path = write(tmp_path / "a.zarr", levels, "cyx", omero={"channels": channels})
    image = open_image(path)
    assert (image.factors, image.bands) == ((1.0, 2.0), ("DAPI", "CD3"))
    assert not pyramids.exists()
    np.testing.assert_array_equal(image.levels[1], np.moveaxis(levels[1], 0, 2))


def test_missing_levels_are_built(tmp_path, rng):
    pixels = rng.integers(0, 255, (1100, 1200), dtype=np.uint8)
    image = open_image(write(tmp_path / "a.zarr", [pixels], "yx"))
    corners = pixels.reshape(550, 2, 600, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(image.levels[1].compute()[..., 0], np.floor(corners + 0.5))


def test_red_green_and_blue_channels_are_rgb(tmp_path):
    channels = [{"color": color} for color in ("FF0000", "00FF00", "0000FF")]
    path = write(
        tmp_path / "a.zarr", [np.zeros((3, 9, 9), "u1")], "cyx", omero={"channels": channels}
    )
    assert open_image(path).bands == ("red", "green", "blue")


def test_built_levels_are_an_ome_zarr_image_themselves(tmp_path, rng, pyramids):
    source = write(tmp_path / "a.zarr", [rng.random((1, 2100, 1200))], "cyx")
    image = open_image(source)
    (built,) = pyramids.iterdir()
    again = open_image(built)
    assert again.pixel_size == (1.0, 0.5)
    assert again.bands == image.bands
    np.testing.assert_array_equal(again.levels[0], image.levels[1])


def test_a_folder_that_is_no_image_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    zarr.create_group(tmp_path / "bare.zarr")
    write(tmp_path / "odd.zarr", [np.zeros((2, 9, 9))], "qyx")
    zarr.create_group(tmp_path / "plate.zarr", attributes={"ome": {"plate": {}}})
    (write(tmp_path / "whole.zarr", [np.zeros((9, 9))], "yx") / "0").rename(tmp_path / "level.zarr")
    for name in ("level.zarr", "whole.zarr", "folder", "bare.zarr", "odd.zarr", "plate.zarr"):
        with pytest.raises(UserError, match=name):
            open_image(tmp_path / name)


def test_a_damaged_chunk_is_reported_with_the_folder(tmp_path, rng):
    path = write(tmp_path / "a.zarr", [rng.random((9, 9))], "yx")
    (path / "0" / "c" / "0" / "0").write_bytes(b"no chunk")
    image = open_image(path)
    with pytest.raises(UserError, match=r"a\.zarr is damaged"):
        image.read(image.window)


@pytest.mark.parametrize("size", [0.0, -0.5, float("nan"), float("inf"), 1e30])
def test_an_absurd_pixel_size_is_an_unknown_one(tmp_path, size):
    path = write(tmp_path / "a.zarr", [np.zeros((9, 9), "u1")], "yx")
    metadata = path / "zarr.json"
    text = metadata.read_text()
    group = zarr.open_group(path)
    ome = group.attrs["ome"]
    ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = [size, 0.25]
    group.attrs["ome"] = ome
    assert metadata.read_text() != text
    image = open_image(path)
    assert (image.pixel_size, image.unit) == (None, None)
    assert open_image(path, pixel_size=0.5).pixel_size == (0.5, 0.5)


def test_levels_without_pixels_are_ignored(tmp_path, rng):
    pixels = rng.integers(0, 255, (20, 30), dtype=np.uint8)
    path = write(tmp_path / "a.zarr", [pixels, pixels[::2, ::2]], "yx")
    group = zarr.open_group(path)
    group.create_array("1", shape=(0, 15), chunks=(1, 15), dtype="u1", overwrite=True)
    assert open_image(path).factors == (1.0,)
    group.create_array("0", shape=(20, 0), chunks=(20, 1), dtype="u1", overwrite=True)
    with pytest.raises(UserError, match=r"a\.zarr has no pixels"):
        open_image(path)


def test_a_size_that_cannot_be_is_refused(tmp_path):
    path = write(tmp_path / "a.zarr", [np.zeros((9, 9), "u1")], "yx")
    group = zarr.open_group(path)
    group.create_array("0", shape=(2**30, 2**30), chunks=(64, 64), dtype="u1", overwrite=True)
    with pytest.raises(UserError, match=r"a\.zarr claims to have 1073741824 × 1073741824 pixels"):
        open_image(path)
    group.create_array("0", shape=(2**18, 2**18), chunks=(2**18, 2**18), dtype="u1", overwrite=True)
    with pytest.raises(UserError, match=r"a\.zarr can only be decoded in pieces of 69 GB"):
        open_image(path)


def test_a_folder_that_vanishes_is_not_taken_for_one_without_data(tmp_path, rng):
    path = write(tmp_path / "a.zarr", [rng.random((9, 9))], "yx")
    image = open_image(path)
    path.rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(UserError, match=r"a\.zarr vanished"):
        image.read(image.window)
