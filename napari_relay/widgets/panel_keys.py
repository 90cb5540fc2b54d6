"""Which key does what in the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_relay.widgets.shortcuts import (
    HELP,
    NEXT_CLASS,
    NEXT_TOKEN,
    PEEK,
    PREDICT_VIEW,
    PREVIOUS_CLASS,
    PROBE,
    KeyBindings,
    Peek,
    add_hint,
)

if TYPE_CHECKING:
    from napari_relay.widgets.panel import RelayPanel


def bind_keys(panel: RelayPanel) -> KeyBindings:
    """Bind the keys of a panel in its viewer, and name them in the tooltips of its buttons."""
    controller = panel.controller
    keys = KeyBindings(controller.viewer)
    keys.press(PREDICT_VIEW, controller.predict_view)
    keys.hold(PEEK, Peek(lambda: _is_shown(panel), lambda shown: _show(panel, shown)))
    keys.press(NEXT_CLASS, lambda: panel.correction.step_class(1))
    keys.press(PREVIOUS_CLASS, lambda: panel.correction.step_class(-1))
    keys.press(NEXT_TOKEN, panel.attention.next_token)
    keys.press(PROBE, panel.probe.tool.switch)
    keys.press(HELP, panel.show_help)
    add_hint(panel.prediction.predict_view, PREDICT_VIEW)
    add_hint(panel.explore.opacity, PEEK)
    add_hint(panel.attention.token.native, NEXT_TOKEN)
    add_hint(panel.probe.toggle, PROBE)
    add_hint(panel.help, HELP)
    return keys


def _is_shown(panel: RelayPanel) -> bool | None:
    """Whether the mask of the current image is shown; None where there is none."""
    layers = panel.controller.current
    if layers is None or layers.prediction is None:
        return None
    return bool(layers.prediction.visible)


def _show(panel: RelayPanel, shown: bool) -> None:
    layers = panel.controller.current
    if layers is not None and layers.prediction is not None:
        layers.prediction.visible = shown
