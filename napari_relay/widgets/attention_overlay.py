"""The layer that shows the relay tokens' attention over what is on screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject

from napari_relay.geometry import Window
from napari_relay.inference import AttentionMap
from napari_relay.inference.attention import Branch, Direction
from napari_relay.session import Session
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.jobs import JobRunner

_CONTRAST = (1, 99)
"""Percentiles of what is shown that become black and bright."""


@dataclass(frozen=True)
class AttentionChoice:
    """Which attention is shown."""

    branch: Branch = "local"
    """Over the patches of the local or of the global crops."""
    direction: Direction = "relay_to_patch"
    """Relay tokens reading patches, or patches reading relay tokens."""
    block: int | None = None
    """Transformer block from 0; None: mean over blocks."""
    token: int | None = None
    """Relay token from 0; None: mean over relay tokens."""


@dataclass(frozen=True)
class _Read:
    """One reading of the store, and what it was for."""

    choice: AttentionChoice
    window: Window
    map: AttentionMap


class AttentionOverlay(QObject):
    """Reads attention in a worker and shows it in one two-dimensional layer.

    A map is read for the view and half as much around it. While one is read,
    later wishes wait; only the last of them is read then.

    Parameters
    ----------
    session
        Whose prediction store is read.
    base
        Layer of the session's image.
    insert
        Puts a new layer into the viewer.
    """

    def __init__(self, session: Session, base: Image, insert: Callable[[Image], None]) -> None:
        super().__init__()
        self.layer: Image | None = None
        self._session, self._base = session, base
        self._insert = insert
        self._choice: AttentionChoice | None = None
        self._view = session.image.window
        self._shown: _Read | None = None
        self._is_stale = False
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_read)
        self._jobs.ended.connect(self._on_ended)

    @property
    def visible(self) -> bool:
        """Whether the person sees it."""
        return self.layer is not None and bool(self.layer.visible)

    @property
    def reading(self) -> bool:
        """Whether a map is being read."""
        return self._jobs.running

    def show(self, choice: AttentionChoice) -> None:
        """Show the chosen attention, with a contrast of its own."""
        self._choice = choice
        if self.layer is None:
            self.layer = self._make_layer()
            self._insert(self.layer)
        self.layer.visible = True
        self.refresh()

    def hide(self) -> None:
        """Hide the layer; the choice is kept."""
        if self.layer is not None:
            self.layer.visible = False

    def forget_layer(self) -> None:
        """Take note that the person has deleted the layer."""
        self.layer = self._shown = None

    def refresh(self) -> None:
        """Read again: tiles have arrived, or another model is in use."""
        self._is_stale = True
        self._read()

    def follow(self, view: Window) -> None:
        """Note what is on screen, and read where nothing was read yet."""
        self._view = view
        wanted = self._wanted()
        if self._shown is None or self._shown.window.intersection(wanted) != wanted:
            self.refresh()

    def close(self) -> None:
        """Read no more."""
        self._choice = None
        self._jobs.cancel()

    def _wanted(self) -> Window:
        return self._view.intersection(self._session.image.window)

    def _read(self) -> None:
        choice, store = self._choice, self._session.store
        ready = self.visible and store is not None and store.has_attention
        if choice is None or not ready or self._jobs.running or not self._wanted().area:
            return
        self._is_stale = False
        margin = max(self._view.height, self._view.width) // 2
        window = self._wanted().expanded(margin).intersection(self._session.image.window)

        def read() -> Iterator[_Read]:
            assert store is not None
            parts = (choice.branch, choice.direction, choice.block, choice.token, window)
            yield _Read(choice, window, store.attention_map(*parts))

        self._jobs.start("Reading attention", read)

    def _on_ended(self) -> None:
        if self._is_stale:
            self._read()

    def _on_read(self, read: _Read) -> None:
        if self.layer is None:
            return
        is_new = self._shown is None or self._shown.choice != read.choice
        self._shown = read
        pixel = np.asarray(placement_of(self._base)["scale"])
        self.layer.data = read.map.values
        self.layer.scale = pixel * read.map.factor
        self.layer.translate = pixel * np.asarray(read.map.translate)
        if is_new:
            self.layer.contrast_limits = contrast_limits(read.map)
            self.layer.name = f"Attention ({read.choice.branch})"

    def _make_layer(self) -> Image:
        return Image(
            np.full((1, 1), np.nan, np.float32),
            name="Attention",
            colormap="inferno",
            contrast_limits=(0, 1),
            opacity=0.65,
            interpolation2d="nearest",
            units=placement_of(self._base)["units"],
        )


def contrast_limits(shown: AttentionMap) -> tuple[float, float]:
    """Two different weights between which most of a map lies."""
    finite = shown.values[np.isfinite(shown.values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, _CONTRAST))
    return low, max(high, low + 1e-6)
