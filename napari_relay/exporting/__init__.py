"""Results in the formats that other programs read."""

from __future__ import annotations

from napari_relay.exporting.mask import export_labels, export_mask

__all__ = ["export_labels", "export_mask"]
