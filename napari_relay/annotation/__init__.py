"""Corrections painted by a person: kept on disk, shown at every zoom, undone and redone."""

from __future__ import annotations

from napari_relay.annotation.autosave import Autosaver
from napari_relay.annotation.chunk_cache import ChunkCache
from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.annotation.history import Edit, History
from napari_relay.annotation.pyramid import EditablePyramid, LevelView

__all__ = [
    "Autosaver",
    "ChunkCache",
    "CorrectionStore",
    "Edit",
    "EditablePyramid",
    "History",
    "LevelView",
]
