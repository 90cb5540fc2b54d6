"""Corrections painted by a person: kept on disk, shown at every zoom, undone and redone."""

from __future__ import annotations

from napari_relay.annotation.autosave import Autosaver
from napari_relay.annotation.block_scores import BlockScores, read_block_scores
from napari_relay.annotation.chunk_cache import ChunkCache
from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.annotation.history import Edit, History
from napari_relay.annotation.place_queue import PlaceQueue, QueuedPlace
from napari_relay.annotation.pyramid import EditablePyramid, LevelView
from napari_relay.annotation.ranking import RankedPlace, RankingOptions, rank_blocks, rank_places

__all__ = [
    "Autosaver",
    "BlockScores",
    "ChunkCache",
    "CorrectionStore",
    "Edit",
    "EditablePyramid",
    "History",
    "LevelView",
    "PlaceQueue",
    "QueuedPlace",
    "RankedPlace",
    "RankingOptions",
    "rank_blocks",
    "rank_places",
    "read_block_scores",
]
