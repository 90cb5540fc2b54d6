"""Relief that is shown is worked out once, and never kept too early."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.relief import kept_in_memory, with_relief
from napari_relay.images.relief.sky_view import SkyView
from tests.images.relief.terrain import hills, terrain, with_holes

GROUND = terrain(with_holes(hills(90, 70)), pixel_size=(1.0, 1.0), unit="m")
BANDS = ("sky-view factor", "elevation")


def test_what_is_kept_is_what_is_worked_out():
    plain = with_relief(GROUND, BANDS)
    kept = kept_in_memory(plain)
    for window in (plain.window, Window(-3, 40, 30, 50)):
        made, again = plain.read(window), kept.read(window)
        np.testing.assert_array_equal(again.pixels, made.pixels)
        np.testing.assert_array_equal(again.valid, made.valid)
    np.testing.assert_array_equal(
        kept.levels[0][5:20, 7:30, 1].compute(scheduler="synchronous"),
        plain.levels[0][5:20, 7:30, 1].compute(scheduler="synchronous"),
    )


def test_going_back_to_a_place_works_nothing_out():
    kept = kept_in_memory(with_relief(GROUND, BANDS))
    with patch.object(SkyView, "compute", autospec=True, side_effect=SkyView.compute) as compute:
        kept.read(Window(0, 0, 40, 40))
        assert compute.call_count == 1
        kept.read(Window(10, 20, 40, 40))
        kept.levels[0][30:60, :, 0].compute(scheduler="synchronous")
        assert compute.call_count == 1


def test_nothing_is_kept_of_an_image_that_is_still_being_built():
    class Build:
        is_complete = False

    image = replace(with_relief(GROUND, BANDS), build=Build())  # type: ignore[arg-type]
    assert kept_in_memory(image) is image
    Build.is_complete = True
    assert kept_in_memory(image) is not image
