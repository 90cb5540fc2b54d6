"""Which key does what in the panel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_relay.widgets.region_tools import ACCEPT, IGNORE, LASSO, REFUSE, RELABEL
from napari_relay.widgets.shortcuts import (
    ACCEPT_TOOL,
    AGREE,
    HELP,
    IGNORE_TOOL,
    LASSO_TOOL,
    NEXT_CLASS,
    NEXT_PLACE,
    NEXT_TOKEN,
    PEEK,
    PREDICT_VIEW,
    PREVIOUS_CLASS,
    PREVIOUS_PLACE,
    PROBE,
    REFUSE_TOOL,
    RELABEL_TOOL,
    SKIP_PLACE,
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
    _bind_correcting(panel, keys)
    keys.press(HELP, panel.show_help)
    add_hint(panel.prediction.predict_view, PREDICT_VIEW)
    add_hint(panel.explore.opacity, PEEK)
    add_hint(panel.attention.token.native, NEXT_TOKEN)
    add_hint(panel.probe.toggle, PROBE)
    add_hint(panel.help, HELP)
    return keys


def _bind_correcting(panel: RelayPanel, keys: KeyBindings) -> None:
    """Bind the places to look at, and the tools of the section *Correct*."""
    section, places = panel.correction, panel.correction.places
    for shortcut, act, made in (
        (NEXT_PLACE, places.go, places.next),
        (PREVIOUS_PLACE, places.go_back, places.previous),
        (SKIP_PLACE, places.skip_place, places.skip),
        (AGREE, places.agree_with_place, places.agree),
    ):
        keys.press(shortcut, act)
        add_hint(made, shortcut)
    for shortcut, tool in (
        (ACCEPT_TOOL, ACCEPT),
        (RELABEL_TOOL, RELABEL),
        (REFUSE_TOOL, REFUSE),
        (IGNORE_TOOL, IGNORE),
        (LASSO_TOOL, LASSO),
    ):
        keys.press(shortcut, partial(section.choose, tool))
        add_hint(section.button_of(tool), shortcut)


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
