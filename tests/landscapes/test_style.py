"""Land that looks otherwise, and means the same."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.images import landscape_image
from napari_relay.landscapes import (
    Landscape,
    LandscapeStyle,
    Plan,
    Soil,
    read_landscape_file,
    write_landscape_file,
)
from napari_relay.landscapes.grid import Rectangle, SampleGrid
from napari_relay.landscapes.relief import rough_relief
from napari_relay.landscapes.site_plan import LOCAL_REACH, WIDE_REACH, SitePlan
from relay_tokens import UserError

LAND = Landscape(seed=5, size=(512, 512), scale=0.5)
HERE = Window(100, 100, 200, 300)
OTHER = LandscapeStyle(Soil.LOESS, Plan.COURTS, 2.0)
GRID = SampleGrid(np.arange(0.0, 400.0, 2.0), np.arange(0.0, 300.0, 2.0), 2.0)
COUNTRY = Rectangle(0, 3800, 0, 3800)


def test_the_usual_style_has_the_pixels_it_always_had():
    patch = LAND.read(HERE)
    # Elevation may differ in the last bit elsewhere; photograph and labels are whole numbers.
    found = hashlib.sha256(patch.rgb.tobytes() + patch.labels.tobytes()).hexdigest()
    assert found.startswith("45c51354cdf5caca")


def test_the_usual_style_leaves_the_identity_of_an_image_alone():
    assert landscape_image(LAND).synthetic == "landscape, seed 5, scale 0.5"
    other = landscape_image(replace(LAND, style=OTHER)).synthetic
    assert other == "landscape, seed 5, scale 0.5, soil loess, plan courts, roughness 2"


def test_another_soil_changes_the_photograph_alone():
    one, other = LAND.read(HERE), replace(LAND, style=LandscapeStyle(Soil.LOESS)).read(HERE)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.elevation, other.elevation)
    assert np.abs(one.rgb.astype(int) - other.rgb).mean() > 8


def test_rougher_ground_keeps_its_classes():
    one, other = LAND.read(HERE), replace(LAND, style=LandscapeStyle(roughness=4)).read(HERE)
    np.testing.assert_array_equal(one.labels, other.labels)
    humps = [rough_relief(GRID, 5, roughness) for roughness in (1.0, 4.0)]
    np.testing.assert_allclose(humps[1], 4 * humps[0], rtol=1e-6)
    assert np.abs(other.elevation - one.elevation).max() > 0.05


def test_courts_are_square_and_a_compound_has_sixteen():
    blocks = list(SitePlan(3, Plan.COURTS).blocks(Rectangle(1, 1919, 1, 1919)))
    assert len(blocks) == 16
    assert {(b.area.row1 - b.area.row0, b.area.col1 - b.area.col0) for b in blocks} == {(480, 480)}


def test_in_courts_too_no_local_crop_shows_a_feature_and_what_decides_it():
    blocks = list(SitePlan(3, Plan.COURTS).blocks(COUNTRY))
    for block in blocks:
        for feature in block.features():
            down, across = feature.extent
            gaps = (
                feature.row - down - block.area.row0,
                block.area.row1 - feature.row - down,
                feature.col - across - block.area.col0,
                block.area.col1 - feature.col - across,
            )
            if block.is_site:
                assert min(gaps) > LOCAL_REACH
                assert min(gaps) < WIDE_REACH
    cores = [block.core for block in blocks]
    for one, other in itertools.combinations(cores, 2):
        assert not one.grown(LOCAL_REACH).meets(other)


def test_a_style_survives_being_written(tmp_path):
    land = replace(LAND, style=OTHER)
    write_landscape_file(land, tmp_path / "other.landscape")
    assert read_landscape_file(tmp_path / "other.landscape") == land


def test_a_file_of_the_usual_style_says_nothing_of_it(tmp_path):
    write_landscape_file(LAND, tmp_path / "usual.landscape")
    found = json.loads((tmp_path / "usual.landscape").read_text())
    assert found == {"seed": 5, "size": [512, 512], "scale": 0.5}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"soil": "clay"}, "soil is none of laterite, loess"),
        ({"plan": 3}, "plan is none of rows, courts"),
        ({"roughness": "rough"}, "roughness is no number"),
        ({"roughness": 9}, "choose 0 to 8"),
        ({"roughness": float("nan")}, "choose 0 to 8"),
    ],
)
def test_what_a_style_cannot_be_is_said(tmp_path, changed, said):
    path = tmp_path / "land.landscape"
    path.write_text(json.dumps({"seed": 1, "size": [9, 9], "scale": 1} | changed))
    with pytest.raises(UserError, match=said):
        read_landscape_file(path)
