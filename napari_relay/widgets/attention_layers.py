"""The attention layers of an image, read from its prediction while a person looks around."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.geometry import Window
from napari_relay.inference.attention import AttentionStack, Branch
from napari_relay.inference.attention_cache import (
    AttentionCache,
    AttentionRequest,
    likely_next,
)
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.session import Session
from napari_relay.widgets.attention_overlay import AttentionOverlay
from napari_relay.widgets.jobs import JobRunner
from relay_tokens import UserError

_READING = "Reading attention"
_AHEAD = "Reading attention ahead"
_QUIET_MS = 700
"""How long nothing may have been read before what may be wanted next is read."""

Insert = Callable[[Image, Image | None], None]
"""Puts a layer into the viewer: under another one, or over all of the session's."""


@dataclass(frozen=True)
class _Read:
    """Maps that were read."""

    request: AttentionRequest
    """What was wanted."""
    stack: AttentionStack
    """The maps."""
    round: int
    """How often the prediction had changed before."""


class AttentionLayers(QObject):
    """An overlay for each branch, with what they show read in a worker.

    Maps are read for the view and half as much around it, and kept: a choice
    that was read ahead is shown at once. While one is read, later wishes wait;
    only the last of them is read then.

    Parameters
    ----------
    session
        Whose prediction store is read.
    base
        Layer of the session's image.
    insert
        Puts a new layer into the viewer.
    """

    visibility_changed = Signal()
    """A layer was shown, hidden or deleted, by the panel or in napari's layer list."""

    def __init__(self, session: Session, base: Image, insert: Insert) -> None:
        super().__init__()
        self._session, self._insert = session, insert
        self._is_switching = False
        # The light of the global branch is added to that of the local one, so it lies over it.
        self._overlays: dict[Branch, AttentionOverlay] = {
            "local": AttentionOverlay("local", base, lambda x: self._add(x, self.layer("global"))),
            "global": AttentionOverlay("global", base, lambda x: self._add(x, None)),
        }
        self._choice = AttentionChoice("relay_to_patch")
        self._is_closed = False
        self._view = session.image.window
        self._window = Window(0, 0, 0, 0)
        self._cache: AttentionCache | None = None
        self._round = 0
        self._pending: list[AttentionRequest] = []
        self._begun: tuple[int, list[AttentionRequest]] = (0, [])
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._read_ahead)
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_read)
        self._jobs.ended.connect(self._on_ended)

    @property
    def layers(self) -> list[Image]:
        """The layers that there are, the local branch's first."""
        return [o.layer for o in self._overlays.values() if o.layer is not None]

    @property
    def choice(self) -> AttentionChoice:
        """What was chosen last."""
        return self._choice

    @property
    def shown(self) -> list[Branch]:
        """The branches that the person sees."""
        return [branch for branch, overlay in self._overlays.items() if overlay.visible]

    @property
    def reading(self) -> bool:
        """Whether a map that will be shown is being read."""
        return bool(self._pending) or self._jobs.name == _READING

    def layer(self, branch: Branch) -> Image | None:
        """The layer of a branch; None until it is asked for."""
        return self._overlays[branch].layer

    def show(self, branches: Sequence[Branch], choice: AttentionChoice) -> None:
        """Show the chosen attention in these branches alone."""
        self._choice = choice
        self._is_switching = True
        for branch, overlay in self._overlays.items():
            if branch in branches:
                overlay.show(over_other=branch != branches[0])
            else:
                overlay.hide()
        self._is_switching = False
        self._on_visible()
        self._update()

    def hide(self) -> None:
        """Hide the layers; the choice is kept."""
        for overlay in self._overlays.values():
            overlay.hide()

    def auto_contrast(self) -> None:
        """Choose the contrast of what is shown by what is shown."""
        for overlay in self._overlays.values():
            if overlay.visible:
                overlay.auto_contrast()

    def forget_layer(self, layer: Image) -> None:
        """Take note that the person has deleted a layer."""
        for overlay in self._overlays.values():
            if overlay.layer is layer:
                overlay.forget_layer()
                self._on_visible()

    def refresh(self) -> None:
        """Read again: tiles have arrived, or another model is in use."""
        if self._cache is not None and self._cache.store is not self._session.store:
            self._cache = None
            for overlay in self._overlays.values():
                overlay.clear()
        if self._cache is not None:
            self._cache.forget()
        self._round += 1
        self._update()

    def follow(self, view: Window) -> None:
        """Note what is on screen, and read where nothing was read yet."""
        self._view = view
        if not self._serves(self._window):
            self._update()

    def close(self) -> None:
        """Read no more."""
        self._is_closed = True
        self._pending = []
        self._quiet.stop()
        self._jobs.cancel()

    def _add(self, layer: Image, under: Image | None) -> None:
        self._insert(layer, under)
        layer.events.visible.connect(self._on_visible)

    def _on_visible(self) -> None:
        if not self._is_switching and not self._is_closed:
            self.visibility_changed.emit()

    # --- what is wanted

    def _wanted(self) -> Window:
        return self._view.intersection(self._session.image.window)

    def _around(self) -> Window:
        margin = max(self._view.height, self._view.width) // 2
        return self._wanted().expanded(margin).intersection(self._session.image.window)

    def _serves(self, window: Window) -> bool:
        """Whether maps over a window show the view, and as finely as can be."""
        wanted, around = self._wanted(), self._around()
        side, needed = (max(w.height, w.width) for w in (window, around))
        is_thinned = side > AttentionRequest.max_side * self._finest
        return window.intersection(wanted) == wanted and not (is_thinned and side > 2 * needed)

    @property
    def _finest(self) -> int:
        """Level-0 pixels of the smallest patches."""
        store = self._session.store
        layout = store.header.attention if store is not None else None
        return 1 if layout is None else min(layout.groups)

    def _requests(self) -> list[AttentionRequest]:
        choice = self._choice._replace(token=None)
        return [AttentionRequest(branch, choice, self._window) for branch in self.shown]

    # --- reading

    def _update(self) -> None:
        """Show what is wanted: now if it is in memory, else as soon as it is read."""
        store = self._session.store
        if self._is_closed or store is None or not store.has_attention or not self.shown:
            return
        if not self._wanted().area:
            return
        if self._cache is None:
            self._cache = AttentionCache(store)
        if not self._serves(self._window):
            self._window = self._around()
        self._pending = [one for one in self._requests() if not self._show_kept(one)]
        self._quiet.start()
        if self._pending and self._jobs.name != _READING:
            self._start(_READING, self._pending)

    def _show_kept(self, request: AttentionRequest) -> bool:
        stack = self._cache.find(request) if self._cache is not None else None
        if stack is not None:
            self._overlays[request.branch].apply(stack, self._choice)
        return stack is not None

    def _start(self, name: str, requests: Collection[AttentionRequest]) -> None:
        cache, wanted, number = self._cache, list(requests), self._round
        if cache is None:
            return
        if name == _READING:
            self._begun = number, wanted

        def read() -> Iterator[_Read]:
            for request in wanted:
                yield _Read(request, cache.read(request), number)

        def read_ahead() -> Iterator[_Read]:
            for request in wanted:
                if cache.has_room:
                    with suppress(UserError):  # said when it is asked for
                        yield _Read(request, cache.read(request), number)

        self._jobs.start(name, read if name == _READING else read_ahead)

    def _read_ahead(self) -> None:
        store = self._session.store
        layout = store.header.attention if store is not None else None
        if layout is None or self._jobs.running or self._is_closed:
            return
        ahead = [one for request in self._requests() for one in likely_next(request, layout)]
        self._start(_AHEAD, ahead)

    def _on_read(self, read: _Read) -> None:
        if read.request not in self._pending:
            return
        self._overlays[read.request.branch].apply(read.stack, self._choice)
        if read.round == self._round:
            self._pending.remove(read.request)

    def _on_ended(self, name: str, complete: bool) -> None:
        if name != _READING:
            return
        number, begun = self._begun
        if not complete and number == self._round:  # it failed, and would again
            self._pending = [one for one in self._pending if one not in begun]
            self._quiet.stop()
        if self._pending:
            self._start(_READING, self._pending)
