"""A program: write a vector file anew as a GeoPackage, feature by feature in the same order.

GDAL reads GeoJSON as a whole and holds Python's lock meanwhile, so that a window
would stand still; a process of its own leaves it alone.
"""

from __future__ import annotations

import sys

import numpy as np
from pyogrio import list_layers, raw


def rewrite(source: str, target: str) -> None:
    """Write the first layer of ``source`` to the GeoPackage ``target``."""
    layer = list_layers(source)[0][0]
    meta, _, geometry, fields = raw.read(source, layer, force_2d=True)
    kept = [values if values.dtype.kind in "iufO" else values.astype(str) for values in fields]
    raw.write(
        target,
        geometry,
        [np.asarray(values) for values in kept],
        list(meta["fields"]),
        layer="features",
        driver="GPKG",
        geometry_type="Unknown",
        crs=meta["crs"],
        # Names that a column of the file is unlikely to have.
        layer_options={"FID": "feature id", "GEOMETRY_NAME": "feature geometry"},
    )


if __name__ == "__main__":
    rewrite(*sys.argv[1:])
