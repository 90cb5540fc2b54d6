"""What a person does with the attention of an image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt

from napari_relay.widgets.attention_layers import AttentionLayers
from napari_relay.widgets.panel import RelayPanel

Wait = Callable[[Callable[[], bool]], None]


def click(qtbot, button) -> None:
    qtbot.wait(50)  # what was changed above a button moves it
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def shown(panel: RelayPanel) -> AttentionLayers:
    assert panel.controller.current is not None
    return panel.controller.current.attention


def values(panel: RelayPanel, branch: str = "local") -> np.ndarray:
    return np.asarray(shown(panel).layer(branch).data).copy()


def choose(panel: RelayPanel, wait_for: Wait, **fields: object) -> None:
    for name, value in fields.items():
        field = getattr(panel.attention, name)
        if name == "blocks":
            field.setValue(value)
        else:
            field.value = value
    wait_for(lambda: not shown(panel).reading)
