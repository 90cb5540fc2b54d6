"""How long a window does not answer: the gaps between the beats of a fast timer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from qtpy.QtCore import QEventLoop, Qt, QTimer

BEAT_MS = 5


@dataclass
class Heartbeat:
    """Times of the beats, seconds."""

    beats: list[float] = field(default_factory=list)
    """When the event loop came round to the timer."""

    @property
    def stalls_ms(self) -> dict[str, float]:
        """How much later than it should a beat came: the longest, and percentiles."""
        late = np.maximum(np.diff(self.beats) * 1000 - BEAT_MS, 0)
        return {
            "longest": round(float(late.max()), 1),
            "p99": round(float(np.percentile(late, 99)), 1),
            "p95": round(float(np.percentile(late, 95)), 1),
            "over_100_ms": int((late > 100).sum()),
        }


@contextmanager
def heartbeat() -> Iterator[Heartbeat]:
    """Measure while the block runs, which has to let the event loop run."""
    found, timer = Heartbeat([time.perf_counter()]), QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(BEAT_MS)
    timer.timeout.connect(lambda: found.beats.append(time.perf_counter()))
    timer.start()
    try:
        yield found
    finally:
        timer.stop()


def run_loop(seconds: float) -> None:
    """Let the event loop run for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec_() if hasattr(loop, "exec_") else loop.exec()


def run_until(condition: Callable[[], bool], seconds: float = 120) -> float:
    """Let the event loop run until a condition holds; the seconds that took."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise TimeoutError(f"it did not happen in {seconds} s")
        run_loop(0.002)
    return time.perf_counter() - start
