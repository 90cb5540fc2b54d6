"""Models as files of other programs: ONNX, torch.export, BioImage.IO packages."""

from __future__ import annotations

from napari_relay.exporting.models.export import MODEL_SUFFIXES, check_model_path, export_model
from napari_relay.exporting.models.options import ModelExportOptions

__all__ = ["MODEL_SUFFIXES", "ModelExportOptions", "check_model_path", "export_model"]
