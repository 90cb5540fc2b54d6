"""Predictions and labels as rasters."""

from __future__ import annotations

from napari_relay.exporting.rasters.export import export_labels, export_mask, export_raster
from napari_relay.exporting.rasters.options import Quantity, RasterOptions

__all__ = ["Quantity", "RasterOptions", "export_labels", "export_mask", "export_raster"]
