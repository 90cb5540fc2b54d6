"""Local and global crops, tiled prediction, and the store it fills."""

from __future__ import annotations

from napari_relay.inference.attention import AttentionMap
from napari_relay.inference.crops import CropPair, check_fit, read_crop_pair
from napari_relay.inference.devices import (
    autocast_dtype,
    choose_device,
    reserve_gui_core,
    share_interpreter,
    stand_back,
)
from napari_relay.inference.glass import can_show_glass
from napari_relay.inference.options import PredictOptions, tile_grid
from napari_relay.inference.prediction import TileResult, predict
from napari_relay.inference.report import PredictionReport, WithReport
from napari_relay.inference.seams import seam_score
from napari_relay.inference.selection import Area
from napari_relay.inference.store import PredictionStore

__all__ = [
    "Area",
    "AttentionMap",
    "CropPair",
    "PredictOptions",
    "PredictionReport",
    "PredictionStore",
    "TileResult",
    "WithReport",
    "autocast_dtype",
    "can_show_glass",
    "check_fit",
    "choose_device",
    "predict",
    "read_crop_pair",
    "reserve_gui_core",
    "seam_score",
    "share_interpreter",
    "stand_back",
    "tile_grid",
]
