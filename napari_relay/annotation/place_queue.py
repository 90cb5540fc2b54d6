"""The places that a person looks at, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from psygnal import Signal

from napari_relay.annotation.ranking import RankedPlace
from napari_relay.geometry import Window

Verdict = Literal["open", "skipped", "agreed"]


@dataclass(frozen=True)
class QueuedPlace:
    """A place that was shown, and what was said of it."""

    place: RankedPlace
    """Where, and why."""
    verdict: Verdict = "open"
    """``"open"`` until it is skipped or agreed with."""


class PlaceQueue:
    """Steps through ranked places, back and forth; new ranks change only what was not shown yet.

    Give it a new ranking with :meth:`rank` when tiles or corrections have
    arrived, made with ``seen=queue.seen``.
    """

    changed = Signal()
    """There is another place, verdict or number of places."""

    def __init__(self) -> None:
        self._shown: list[QueuedPlace] = []
        self._coming: list[RankedPlace] = []
        self._at = -1

    def __len__(self) -> int:
        return len(self._shown) + len(self._coming)

    @property
    def current(self) -> QueuedPlace | None:
        """The place that is looked at; None before the first one."""
        return self._shown[self._at] if self._at >= 0 else None

    @property
    def position(self) -> int:
        """Number of the current place, from 1; 0 before the first one."""
        return self._at + 1

    @property
    def seen(self) -> list[Window]:
        """Windows of all places that were shown: no ranking need name them again."""
        return [queued.place.window for queued in self._shown]

    @property
    def skipped(self) -> list[Window]:
        """Windows of the places that were skipped."""
        return [q.place.window for q in self._shown if q.verdict == "skipped"]

    def rank(self, places: Sequence[RankedPlace]) -> None:
        """Take another ranking for what was not shown yet."""
        seen = set(self.seen)
        self._coming = [place for place in places if place.window not in seen]
        self.changed.emit()

    def next(self) -> QueuedPlace | None:
        """Go on; None, and where it was, when there is no place left."""
        if self._at + 1 == len(self._shown):
            if not self._coming:
                return None
            self._shown.append(QueuedPlace(self._coming.pop(0)))
        self._at += 1
        self.changed.emit()
        return self.current

    def previous(self) -> QueuedPlace | None:
        """Go back; None, and where it was, at the first place."""
        if self._at <= 0:
            return None
        self._at -= 1
        self.changed.emit()
        return self.current

    def skip(self) -> QueuedPlace | None:
        """Leave the current place out from here on, and go on."""
        return self._judge("skipped")

    def agree(self) -> QueuedPlace | None:
        """Note that the prediction is right in the current place, and go on."""
        return self._judge("agreed")

    def reset(self) -> None:
        """Forget everything: another image or other classes."""
        self._shown, self._coming, self._at = [], [], -1
        self.changed.emit()

    def _judge(self, verdict: Verdict) -> QueuedPlace | None:
        if self.current is None:
            return None
        self._shown[self._at] = QueuedPlace(self.current.place, verdict)
        found = self.next()
        if found is None:
            self.changed.emit()
        return found
