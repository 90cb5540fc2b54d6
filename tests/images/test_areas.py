"""Areas as a person reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_relay.images.areas import area_text
from napari_relay.images.landscape import landscape_image
from napari_relay.landscapes import Landscape

IMAGE = landscape_image(Landscape(seed=1, size=(512, 512)))


@pytest.mark.parametrize(
    ("pixels", "side", "unit", "text"),
    [
        (100, 0.5, "m", "25 m²"),
        (39_999, 0.5, "m", "10\u2009000 m²"),
        (40_000, 0.5, "m", "1 ha"),
        (123_456, 1.0, "m", "12.3 ha"),
        (2_500_000, 1.0, "m", "2.5 km²"),
        (400, 0.5, "um", "100 µm²"),
        (4_000_000, 0.5, "um", "1 mm²"),
        (1_234_567, 0.0001, "degree", "1\u2009234\u2009567 px"),
    ],
)
def test_an_area_is_said_in_the_unit_that_suits_it(
    pixels: int, side: float, unit: str, text: str
) -> None:
    assert area_text(pixels, replace(IMAGE, pixel_size=(side, side), unit=unit)) == text


def test_without_a_pixel_size_an_area_is_a_number_of_pixels() -> None:
    assert area_text(7, replace(IMAGE, pixel_size=None, unit=None)) == "7 px"
