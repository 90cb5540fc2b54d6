"""Write what RVT computes: ``python scripts/relief_reference.py OUTPUT.npz``.

The Relief Visualization Toolbox (``rvt-py``) asks for GDAL's own bindings and
for a Python below 3.12, of which these functions need neither::

    pip install --no-deps rvt-py==2.2.3

The terrain is a corner of the sample that comes with the package, quantised by
it, with missing data inside, at the edge, and in a single pixel.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import open_image
from napari_relay.samples import sample_terrain

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # scipy.ndimage.morphology
    from rvt import vis

WINDOW = Window(330, 300, 76, 88)
"""Part of the sample: terraces, a moat with a mound."""
STEP = 0.5
"""Metres that a pixel is taken to be wide: unlike 1, it shows where it is forgotten."""
AZIMUTHS = (315.0, 22.5, 90.0)
"""Hillshades that are kept of the sixteen."""

Values = NDArray[np.float32]


def terrain() -> Values:
    """Elevation ``(rows, cols)`` in metres, NaN where there is none."""
    elevation = open_image(sample_terrain()).read(WINDOW).pixels[..., 0].astype(np.float32)
    elevation[30:34, 40:47] = np.nan
    elevation[60:, :3] = np.nan
    elevation[12, 70] = np.nan
    return elevation


def gradients(elevation: Values) -> dict[str, Values]:
    """Slope in degrees, hillshade, and hillshade from several directions.

    RVT cuts a pixel off each side of the latter.
    """
    many = vis.multi_hillshade(elevation.copy(), STEP, STEP, nr_directions=16)
    return {
        "slope": vis.slope_aspect(elevation.copy(), STEP, STEP, output_units="degree")["slope"],
        "hillshade": vis.hillshade(elevation.copy(), STEP, STEP),
        **{f"hillshade {azimuth:g}": many[round(azimuth / 22.5)] for azimuth in AZIMUTHS},
    }


def horizons(elevation: Values) -> dict[str, Values]:
    """Local relief, sky-view factor, and both kinds of openness."""
    up = vis.sky_view_factor(elevation.copy(), STEP, compute_svf=True, compute_opns=True)
    down = vis.sky_view_factor(-elevation, STEP, compute_svf=False, compute_opns=True)
    return {
        "local relief": vis.slrm(elevation.copy()),
        "sky-view factor": up["svf"],
        "positive openness": up["opns"],
        "negative openness": down["opns"],
    }


def main(output: Path) -> None:
    """Write elevation, pixel size, RVT's version and all quantities."""
    elevation = terrain()
    values = {**gradients(elevation), **horizons(elevation)}
    np.savez_compressed(
        output,
        elevation=elevation,
        step=np.float64(STEP),
        rvt_version=np.str_(version("rvt-py")),
        **{name: value.astype(np.float32) for name, value in values.items()},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
