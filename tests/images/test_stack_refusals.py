"""Rasters that cannot be one image are refused, by name and with the remedy."""

from __future__ import annotations

import sys

import pytest
import tifffile

from napari_relay.images import open_stack
from relay_tokens import UserError
from tests.images.rasters import photo, ramp, write


def test_rasters_of_other_places_are_refused_by_name(tmp_path, rng):
    here = [write(tmp_path / f"{name}.tif", photo(rng)) for name in "ab"]
    far = write(tmp_path / "far.tif", photo(rng), left=500_000)
    with pytest.raises(UserError, match=r"a\.tif and .*far\.tif do not overlap"):
        open_stack([*here, far])


def test_a_raster_without_a_place_and_of_another_size_is_refused(tmp_path, rng):
    tifffile.imwrite(tmp_path / "plain.tif", photo(rng)[:50], photometric="rgb")
    placed = write(tmp_path / "b.tif", ramp(90, 110))
    with pytest.raises(UserError, match=r"plain\.tif \(50 × 110 pixels\).*georeference"):
        open_stack([placed, tmp_path / "plain.tif"])


def test_a_raster_without_a_system_beside_one_with_is_refused(tmp_path, rng):
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, 1)
    tags = [(33550, "d", 3, (1.0, 1.0, 0.0), True), (34735, "H", len(keys), keys, True)]
    tags.append((33922, "d", 6, (0.0, 0.0, 0.0, 400_000.0, 1_500_000.0, 0.0), True))
    tifffile.imwrite(tmp_path / "b.tif", ramp(30, 30)[..., 0], extratags=tags, metadata=None)
    a = write(tmp_path / "a.tif", photo(rng))
    with pytest.raises(UserError, match=r"b\.tif names no coordinate .*EPSG:32648"):
        open_stack([a, tmp_path / "b.tif"])


def test_without_rasterio_other_grids_are_refused_with_the_remedy(survey, monkeypatch):
    real = sys.modules["importlib.util"].find_spec
    hidden = lambda name: None if name == "rasterio" else real(name)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", hidden)
    with pytest.raises(UserError, match=r"napari-relay\[geo\]"):
        open_stack(survey)


def test_a_missing_raster_is_named(survey, tmp_path):
    with pytest.raises(UserError, match=r"gone\.tif does not exist"):
        open_stack([*survey, tmp_path / "gone.tif"])
