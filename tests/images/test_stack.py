from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.warp import transform
from scipy import ndimage

from napari_relay.geometry import Window
from napari_relay.images import open_image, open_stack
from napari_relay.images.grid import Grid, common_grid
from napari_relay.images.warping import WarpedLevel
from napari_relay.inference.fingerprints import image_fingerprint
from tests.images.rasters import UTM, centres, photo, ramp, write

NEXT_UTM = "EPSG:32647"
SHARED_TMP = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_rasters_on_one_grid_are_stacked_bit_by_bit(tmp_path, rng, monkeypatch):
    first, second = photo(rng), photo(rng)
    paths = [write(tmp_path / "a.tif", first), write(tmp_path / "b.tif", second)]
    monkeypatch.setitem(sys.modules, "rasterio.warp", None)
    image = open_stack(paths)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image.levels[0].compute(), np.concatenate([first, second], 2))
    assert (image.crs, image.affine) == (UTM, open_image(paths[0]).affine)


def test_levels_of_one_grid_are_stacked_bit_by_bit_too(tmp_path, rng):
    paths = [write(tmp_path / f"{name}.tif", photo(rng, 1101, 700)) for name in "ab"]
    image, parts = open_stack(paths), [open_image(path) for path in paths]
    assert image.factors == parts[0].factors == (1.0, 2.0)
    # A level's last row, of which only a part lies in the image, is left out.
    wanted = np.concatenate([part.levels[1].compute()[:550] for part in parts], axis=2)
    np.testing.assert_array_equal(image.levels[1].compute(), wanted)


def test_the_grid_has_the_finest_pixels_and_the_area_of_all(survey):
    image = open_stack(survey)
    assert image.bands == ("red", "green", "blue", "elevation")
    assert image.sources == tuple(survey)
    assert (image.pixel_size, image.unit, image.crs) == ((0.5, 0.5), "m", UTM)
    left, top = image.affine[2], image.affine[5]
    assert (left, top) == (400_010.5, 1_500_000.0 - 9.0)
    right, bottom = left + image.shape[1] / 2, top - image.shape[0] / 2
    assert (right, bottom) == (400_100.0, 1_500_000.0 - 120.0)


def test_the_finest_raster_keeps_its_pixels(survey):
    image = open_stack(survey)
    ortho = open_image(survey[0]).levels[0].compute()
    pixels = image.levels[0].compute()
    np.testing.assert_array_equal(pixels[..., :3], ortho[18:, 21:])
    assert image.dtype == np.float32


def test_a_coarser_raster_is_interpolated_at_the_right_place(survey):
    image = open_stack(survey)
    x, y = centres(image)
    wanted = 5 * (x - 400_010.3) / 2 + 3 * (1_500_000.0 - 8.7 - y) / 2
    found = image.levels[0][..., 3].compute()
    inner = (slice(8, None), slice(8, None))
    # 5 and 3 a pixel of 2 m: a hundredth of a pixel of the result is 0.0075.
    np.testing.assert_allclose(found[inner], wanted[inner], atol=0.002)
    assert np.isfinite(found).all()


def test_interpolation_is_what_scipy_computes(tmp_path, rng):
    heights = rng.normal(100, 5, (40, 50, 1)).astype(np.float32)
    fine = write(tmp_path / "fine.tif", photo(rng, 200, 240), size=0.25, left=400_003.0)
    coarse = write(tmp_path / "coarse.tif", heights, size=1.3, left=399_998.7, top=1_500_001.9)
    image = open_stack([fine, coarse])
    x, y = centres(image)
    place = [(1_500_001.9 - y) / 1.3 - 0.5, (x - 399_998.7) / 1.3 - 0.5]
    wanted = ndimage.map_coordinates(
        heights[..., 0].astype(np.float64), place, order=1, mode="nearest"
    )
    found = image.levels[0][..., 3].compute()
    assert abs(found - wanted).max() < 1e-4 * np.ptp(heights)


@SHARED_TMP
@given(
    dx=st.floats(-3, 3),
    dy=st.floats(-3, 3),
    size=st.floats(0.3, 5),
    top=st.integers(-40, 160),
    left=st.integers(-40, 160),
)
def test_pixels_lie_right_to_a_hundredth_wherever_and_in_whatever_window(
    tmp_path, dx, dy, size, top, left
):
    side = int(160 / size) + 8
    flat = write(tmp_path / "flat.tif", np.zeros((150, 150, 1), np.float32))
    slope = write(
        tmp_path / "slope.tif", ramp(side, side), size=size, left=400_000 + dx, top=1_500_000 + dy
    )
    image = open_stack([flat, slope])
    x, y = centres(image)
    wanted = 5 * (x - 400_000 - dx) / size + 3 * (1_500_000 + dy - y) / size
    patch = image.read(Window(top, left, 70, 70))
    whole = image.read(image.window)
    inside = patch.valid
    rows, cols = (np.arange(start, start + 70) for start in (top, left))
    rows, cols = rows[inside.any(axis=1)], cols[inside.any(axis=0)]
    part = patch.pixels[inside].reshape(rows.size, cols.size, 2)
    np.testing.assert_allclose(part, whole.pixels[np.ix_(rows, cols)], atol=1e-3)
    # Within a pixel of the slope's edge there is nothing to interpolate with.
    margin = int(np.ceil(size)) + 1
    error = abs(whole.pixels[..., 1] - wanted)[margin:-margin, margin:-margin]
    step = 5 * min(image.pixel_size) / size
    assert error.size == 0 or error.max() < 0.01 * step + 1e-4


def test_a_raster_in_another_system_is_brought_to_the_first_one_s(tmp_path, rng):
    ortho = write(tmp_path / "ortho.tif", photo(rng, 120, 140), left=200_000.0)
    (x0,), (y0,) = transform(UTM, NEXT_UTM, [200_000.0], [1_500_000.0])
    dtm = write(tmp_path / "dtm.tif", ramp(200, 200), left=x0 - 30.2, top=y0 + 30.6, crs=NEXT_UTM)
    image = open_stack([ortho, dtm])
    assert (image.crs, image.shape) == (UTM, (120, 140))
    x, y = (np.ravel(v) for v in centres(image))
    xs, ys = (np.reshape(v, image.shape) for v in transform(UTM, NEXT_UTM, x, y))
    wanted = 5 * (xs - x0 + 30.2) + 3 * (y0 + 30.6 - ys)
    assert abs(image.levels[0][..., 3].compute() - wanted).max() < 0.02


def test_where_a_turned_raster_does_not_reach_there_is_no_data(tmp_path):
    square = write(tmp_path / "square.tif", np.ones((100, 100, 1), np.float32))
    turned = (0.6, 0.8, 400_000.0, 0.8, -0.6, 1_500_000.0 - 40)
    write(tmp_path / "turned.tif", np.ones((100, 100, 1), np.float32), affine=turned)
    image = open_stack([square, tmp_path / "turned.tif"])
    patch = image.read(image.window)
    x, y = centres(image)
    col, row, _ = np.linalg.inv(np.array([turned[:3], turned[3:], (0, 0, 1)])) @ np.stack(
        [x.ravel(), y.ravel(), np.ones(x.size)]
    )
    reached = ((col > 0) & (col < 100) & (row > 0) & (row < 100)).reshape(x.shape)
    assert 0.2 < reached.mean() < 0.8
    assert (patch.valid == reached).mean() > 0.99


def test_rasters_that_are_turned_alike_stay_turned(tmp_path, rng):
    first, second = photo(rng), photo(rng)
    a, b = (3.0, 4.0, 100.0, 4.0, -3.0, 200.0), (3.0, 4.0, 100.0 + 10, 4.0, -3.0, 200.0 + 5)
    write(tmp_path / "a.tif", first, affine=a)
    write(tmp_path / "b.tif", second, affine=b)
    image = open_stack([tmp_path / "a.tif", tmp_path / "b.tif"])
    # (10, 5) is two columns and one row further.
    assert image.affine == b
    pixels = image.levels[0].compute()
    np.testing.assert_array_equal(pixels[..., :3], first[1:, 2:])
    np.testing.assert_array_equal(pixels[..., 3:], second[:-1, :-2])


def test_coarse_levels_are_means_of_the_right_pixels(tmp_path):
    flat = write(tmp_path / "flat.tif", np.zeros((1100, 1300, 1), np.float32))
    fine = write(tmp_path / "fine.tif", ramp(1300, 1500), left=400_000.0 - 7, top=1_500_000.0 + 5)
    image = open_stack([flat, fine])
    assert image.factors == (1.0, 2.0)
    assert image.levels[1].shape == (550, 650, 2)
    for level in (0, 1):
        x, y = centres(image, level)
        wanted = 5 * (x - 400_000 + 7) + 3 * (1_500_000 + 5 - y)
        np.testing.assert_allclose(image.levels[level][..., 1].compute(), wanted, atol=0.02)


@pytest.mark.parametrize("crs", [UTM, None])
def test_a_finer_level_is_averaged_over_each_pixel(rng, crs):
    pixels = rng.normal(100, 5, (80, 60, 2)).astype(np.float32)
    pixels[8, 8] = np.nan
    own = Grid((80, 60), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), crs)
    target = Grid((18, 13), (4.0, 0.0, 4.0, 0.0, -4.0, -8.0), crs)
    level = WarpedLevel(pixels, own, None, target, average=True)
    wanted = np.nanmean(pixels[8:, 4:56].reshape(18, 4, 13, 4, 2), axis=(1, 3))
    found = level[0:18, 0:13, 0:2]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_nodata_of_one_raster_is_no_data_of_the_stack_and_spoils_no_neighbour(tmp_path, rng):
    heights = np.full((60, 60, 1), 250.0, np.float32)
    heights[20:30, 20:30] = -9999
    ortho = write(tmp_path / "ortho.tif", photo(rng, 120, 120), size=0.5)
    dtm = write(tmp_path / "dtm.tif", heights, nodata=-9999.0)
    image = open_stack([ortho, dtm])
    patch = image.read(image.window)
    assert image.nodata is None
    assert not patch.valid[40:60, 40:60].any()
    assert patch.valid.sum() == 120 * 120 - 20 * 20
    np.testing.assert_allclose(patch.pixels[patch.valid][:, 3], 250, rtol=1e-6)
    assert np.isfinite(patch.pixels[..., :3]).all()


def test_nodata_is_honoured_without_resampling_too(tmp_path, rng):
    pixels = photo(rng)
    pixels[:10] = 0
    a = write(tmp_path / "a.tif", pixels, nodata=0)
    b = write(tmp_path / "b.tif", photo(rng))
    patch = open_stack([a, b]).read(Window(0, 0, 90, 110))
    assert not patch.valid[:10].any()
    assert patch.valid[10:].all()
    assert np.isnan(patch.pixels[:10, :, :3]).all()


def test_whole_numbers_stay_whole_when_they_are_interpolated(tmp_path, rng):
    fine = write(tmp_path / "fine.tif", np.full((80, 80, 1), 3, np.uint16))
    coarse = write(tmp_path / "coarse.tif", np.full((30, 30, 1), 40_000, np.uint16), size=3.0)
    image = open_stack([fine, coarse])
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(np.unique(image.levels[0][..., 1].compute()), [40_000])


def test_bands_of_one_name_tell_their_file(tmp_path):
    for stem in ("dtm", "dsm"):
        write(tmp_path / f"{stem}.tif", ramp(20, 20))
    write(tmp_path / "ndvi.tif", ramp(20, 20), names=("ndvi",))
    image = open_stack([tmp_path / f"{stem}.tif" for stem in ("dtm", "dsm", "ndvi")])
    assert image.bands == ("dtm elevation", "dsm elevation", "ndvi")


def test_rasters_without_a_place_are_stacked_pixel_on_pixel(tmp_path, rng):
    first, second = photo(rng), photo(rng)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", first, photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", second)
    image = open_stack([tmp_path / "a.tif", tmp_path / "b.tif"])
    np.testing.assert_array_equal(image.levels[0].compute(), np.dstack([first, second]))
    assert (image.affine, image.crs) == (None, None)


def test_a_raster_without_a_place_takes_that_of_one_of_its_size(tmp_path, rng):
    tifffile.imwrite(tmp_path / "a.tif", photo(rng), photometric="rgb")
    placed = write(tmp_path / "b.tif", ramp(90, 110))
    image = open_stack([tmp_path / "a.tif", placed])
    assert (image.affine, image.crs) == (open_image(placed).affine, UTM)
    assert image.pixel_size == (1.0, 1.0)


def test_a_single_raster_is_just_that_image(tmp_path, rng):
    image = open_stack([write(tmp_path / "a.tif", photo(rng), nodata=0)])
    assert (image.dtype, image.nodata, image.stacked) == (np.uint8, 0, ())


def test_threads_read_what_one_thread_reads(survey):
    windows = [Window(y, x, 50, 50) for y in range(0, 200, 20) for x in range(0, 160, 40)]
    alone = [open_stack(survey).read(window).pixels for window in windows]
    image = open_stack(survey)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda window: image.read(window).pixels, windows))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_what_is_damaged_in_a_raster_is_not_valid_in_the_stack(tmp_path, rng, dtype):
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    pixels = rng.integers(0, 200, (512, 512))
    tifffile.imwrite(paths[0], pixels.astype("u1"))
    tifffile.imwrite(paths[1], pixels.astype(dtype), tile=(256, 256), compression="deflate")
    with tifffile.TiffFile(paths[1]) as file:
        offset, count = file.pages[0].dataoffsets[3], file.pages[0].databytecounts[3]
    content = bytearray(paths[1].read_bytes())
    content[offset : offset + count] = b"x" * count
    paths[1].write_bytes(content)
    image = open_stack(paths)
    valid = image.read(image.window).valid
    assert not valid[256:, 256:].any()
    assert valid.sum() == 3 * 256**2
    assert [chunk.window for chunk in image.damage.chunks] == [Window(256, 256, 256, 256)]
    assert image.damage.count == 1
    assert "b.tif" in (image.damage.sentence or "")


def test_a_stack_is_told_from_its_parts_and_from_other_stacks_but_not_by_its_folder(survey):
    ortho, dtm = survey
    moved = ortho.parent / "moved"
    moved.mkdir()
    copies = [Path(shutil.copy(path, moved)) for path in survey]
    higher = write(moved / "higher.tif", ramp(70, 140), size=2.0, left=400_010.3, top=1_499_991.3)
    known = image_fingerprint(open_stack(survey))
    assert image_fingerprint(open_stack(copies)) == known
    others = [[ortho], [dtm], [dtm, ortho], [ortho, higher]]
    assert known not in [image_fingerprint(open_stack(paths)) for paths in others]


@settings(max_examples=60, deadline=None)
@given(
    sides=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=2, max_size=4),
    places=st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=4, max_size=4),
)
def test_the_common_grid_of_whole_pixel_shifts_is_their_intersection(sides, places):
    grids = [
        Grid(shape, (1.0, 0.0, float(x), 0.0, -1.0, float(-y)), UTM)
        for shape, (y, x) in zip(sides, places, strict=False)
    ]
    windows = [Window(y, x, *shape) for shape, (y, x) in zip(sides, places, strict=False)]
    shared = windows[0]
    for window in windows[1:]:
        shared = shared.intersection(window)
    found = common_grid(grids)
    if not shared.area:
        assert found is None
    else:
        assert found == Grid(
            (shared.height, shared.width),
            (1.0, 0.0, float(shared.x0), 0.0, -1.0, float(-shared.y0)),
            UTM,
        )
