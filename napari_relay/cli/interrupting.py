"""Ctrl-C between two steps of long work, not within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Wish:
    """Whether a person wants to stop."""

    def __init__(self) -> None:
        self.is_there = False

    def check(self) -> None:
        """Stop here if that is wanted.

        Raises
        ------
        KeyboardInterrupt
            When Ctrl-C was pressed.
        """
        if self.is_there:
            raise KeyboardInterrupt


@contextmanager
def between_steps() -> Iterator[Wish]:
    """Make the first Ctrl-C a wish that is checked between steps; the second one stops at once."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: FrameType | None) -> None:
        wish.is_there = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
