"""What is told of an open image."""

from __future__ import annotations

from psygnal import Signal, SignalGroup

from napari_relay.inference import TileResult


class SessionEvents(SignalGroup):
    """What layers and panels follow. All are emitted on the main thread."""

    model_changed = Signal()
    """Another model or version is in use; the prediction and corrections may be other ones."""
    colors_changed = Signal()
    """Classes have other colours."""
    tile_predicted = Signal(TileResult)
    """A tile is on disk and can be shown."""
