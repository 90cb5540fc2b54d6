"""When Python looks for garbage while the window is open."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtCore import QObject

from napari_relay.widgets import app


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """Generations that are looked through, one after the other."""
    found: list[int] = []

    def note(phase: str, about: dict[str, Any]) -> None:
        if phase == "start":
            found.append(about["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def _grow() -> list[list[int]]:
    return [[k] for k in range(400_000)]


def test_growing_memory_stops_nobody_and_a_timer_looks_through_it(
    qtbot, monkeypatch: pytest.MonkeyPatch, collected: list[int]
) -> None:
    usual = gc.get_threshold()
    _grow()
    assert 2 in collected
    monkeypatch.setattr(app, "_COLLECT_EVERY_MS", 30)
    parent = QObject()
    app._collect_now_and_then(parent)
    collected.clear()
    _grow()
    assert 2 not in collected
    qtbot.waitUntil(lambda: 2 in collected)
    parent.deleteLater()
    qtbot.waitUntil(lambda: gc.get_threshold() == usual)
