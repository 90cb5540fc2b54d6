"""Timers that fire once."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


def single_shot(parent: QObject, milliseconds: int, call: Callable[[], None]) -> QTimer:
    """Make a timer that calls once for each start; with 0 ms in the event loop's next turn."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(call)
    return timer
