"""What every test gets: a home of its own, the same random numbers, no leaked thread."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# The processes that share the tests share the cores too: threads of OpenMP that wait for their
# turn do so at full speed, and tiny models gain nothing by them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Pools that libraries keep for the life of the process.
LASTING_THREADS = ("asyncio_", "fsspecIO", "pydevd", "relay-pixels", "zarr_io", "zarr_pool")
GRACE = 2.0


def pytest_collection_finish() -> None:
    """Leave out what importing made whenever garbage is collected; napari's viewer asks for it."""
    gc.collect()
    gc.freeze()


def _leaked(before: set[threading.Thread]) -> list[str]:
    deadline = time.monotonic() + GRACE
    while True:
        new = set(threading.enumerate()) - before
        names = sorted(t.name for t in new - _dask_pool() if not _lasts(t))
        if not names or time.monotonic() > deadline:
            return names
        time.sleep(0.02)


def _lasts(thread: threading.Thread) -> bool:
    # A QThread that ran Python shows up as a dummy; Qt, not Python, ends it.
    dummy = isinstance(thread, threading._DummyThread)
    monitor = type(thread).__name__ == "TMonitor"
    return dummy or monitor or thread.name.startswith(LASTING_THREADS)


def _dask_pool() -> set[threading.Thread]:
    # Dask's pool has the default name, which a pool leaked by us has too.
    threaded = sys.modules.get("dask.threaded")
    pool = threaded.default_pool if threaded else None
    return set(pool._threads) if pool else set()


@pytest.fixture(autouse=True)
def _no_leaked_thread() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = _leaked(before)
    assert not leaked, f"the test left threads behind: {leaked}"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
