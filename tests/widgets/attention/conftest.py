"""A panel with a prediction whose attention is in view."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_relay.widgets.panel import RelayPanel
from tests.widgets.attention.hand import click, shown

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def predicted(ready: RelayPanel, qtbot, wait_for: Wait) -> RelayPanel:
    """A panel with a whole prediction, 160 × 200 px of 0.5 µm, with attention in view."""
    qtbot.wait(50)  # the sections that a model opens find their places
    click(qtbot, ready.prediction.predict_all)
    wait_for(lambda: not ready.controller.jobs.running)
    ready.attention.shown.setChecked(True)
    wait_for(lambda: not shown(ready).reading)
    return ready
