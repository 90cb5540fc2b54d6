"""What a prediction says of an image: areas, objects, confidence, corrections, pictures."""

from __future__ import annotations

from napari_relay.exporting.reporting.report import ReportOptions, export_report

__all__ = ["ReportOptions", "export_report"]
