"""In which colours an image and its mask are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.images import landscape_image, open_image
from napari_relay.landscapes import LANDSCAPE_CLASSES, Landscape
from napari_relay.widgets.image_layer import image_layer_data
from napari_relay.widgets.session_layers import class_colormap
from relay_tokens import IGNORE_INDEX, ClassSchema


def test_a_photograph_beside_an_elevation_keeps_its_own_colours() -> None:
    land = Landscape(seed=2, size=(90, 80))
    levels, arguments, _ = image_layer_data(landscape_image(land))
    shown = np.asarray(levels[0] if isinstance(levels, list) else levels)
    assert arguments["rgb"]
    photograph = land.read(land.window).rgb
    assert np.abs(shown.astype(int) - photograph).max() <= 1


@pytest.mark.parametrize("span", [(0.0, 1.0), (-20.0, 250.0), (0.0, 4000.0)])
def test_other_colours_are_stretched(tmp_path: Path, span: tuple[float, float]) -> None:
    pixels = np.random.default_rng(0).uniform(*span, (64, 64, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "radiance.tif", pixels, photometric="rgb", tile=(64, 64))
    levels, _, _ = image_layer_data(open_image(tmp_path / "radiance.tif"))
    shown = np.asarray(levels[0] if isinstance(levels, list) else levels)
    assert shown.min() == 0
    assert shown.max() == 255


def test_the_background_is_a_veil_and_every_other_class_is_full() -> None:
    opacity = {k: float(c[3]) for k, c in class_colormap(LANDSCAPE_CLASSES).color_dict.items()}
    assert 0 < opacity[0] < 0.5
    assert [opacity[k] for k in (1, 2, 3)] == [1, 1, 1]
    assert opacity[IGNORE_INDEX] == 0
    named = class_colormap(ClassSchema.from_names(["soil", "water"])).color_dict
    assert [float(named[k][3]) for k in (0, 1)] == [1, 1]
