"""The values of the Relief Visualization Toolbox; ``scripts/relief_reference.py`` made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.images.relief import with_relief
from tests.images.relief.terrain import terrain

REFERENCE = dict(np.load(Path(__file__).with_name("rvt_reference.npz")))
TOLERANCES = {
    "slope": 1e-5,  # degrees
    "hillshade": 1e-6,
    "hillshade 315": 1e-6,
    "hillshade 22.5": 1e-6,
    "hillshade 90": 1e-6,
    "local relief": 2e-5,  # metres
    "sky-view factor": 1e-6,
    "positive openness": 5e-5,  # degrees
    "negative openness": 5e-5,  # degrees
}


def relief(name: str) -> np.ndarray:
    """The whole quantity ``(y, x)``, of the reference's terrain."""
    step = float(REFERENCE["step"])
    elevation = np.nan_to_num(REFERENCE["elevation"], nan=-9999)
    derived = with_relief(terrain(elevation, pixel_size=(step, step), unit="m"), [name])
    return derived.read(derived.window).pixels[..., 0]


def test_the_reference_says_which_version_made_it():
    assert str(REFERENCE["rvt_version"]) == "2.2.3"


@pytest.mark.parametrize("name", sorted(TOLERANCES))
def test_every_pixel_equals_rvt_at_the_edges_and_around_holes_too(name):
    expected, made = REFERENCE[name], relief(name)
    # RVT's hillshades from several directions lack a pixel on each side.
    cut = (made.shape[0] - expected.shape[0]) // 2
    made = made[cut : made.shape[0] - cut, cut : made.shape[1] - cut]
    np.testing.assert_allclose(made, expected, rtol=0, atol=TOLERANCES[name])


@pytest.mark.parametrize("name", sorted(TOLERANCES))
def test_a_pixel_has_no_value_exactly_where_it_has_no_elevation(name):
    np.testing.assert_array_equal(np.isnan(relief(name)), np.isnan(REFERENCE["elevation"]))
