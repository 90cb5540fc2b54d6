"""Results in the formats that other programs read."""

from __future__ import annotations

from napari_relay.exporting.progress import ExportProgress, completed
from napari_relay.exporting.rasters import (
    RasterOptions,
    export_labels,
    export_mask,
    export_raster,
)

__all__ = [
    "ExportProgress",
    "RasterOptions",
    "completed",
    "export_labels",
    "export_mask",
    "export_raster",
]
