"""Looking at one place: what the model says there, and where it has it from."""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtWidgets import QPushButton, QWidget

from napari_relay.exploring import Place, Probe
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.probe_layers import GLOBAL_COLOR, LOCAL_COLOR
from napari_relay.widgets.probe_sentences import place_sentence, share_sentence
from napari_relay.widgets.probe_tool import ProbeTool
from napari_relay.widgets.prober import Prober
from napari_relay.widgets.sections.bar_list import Bar, BarList
from napari_relay.widgets.sections.section import Section, button, note
from napari_relay.widgets.sections.what_if_part import WhatIfPart
from napari_relay.widgets.session_layers import SessionLayers
from relay_tokens import ClassSchema

_MOST_CLASSES = 6
"""Classes that are listed, the likeliest first."""
_HINT = "Click a place in the image."
_OUTSIDE = "That is outside the image; click a place within it."


class ProbeSection(Section):
    """Click a place; see what the model sees there, and what it would say otherwise."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Probe", parent)
        self._controller = controller
        self._prober: Prober | None = None
        self.tool = ProbeTool(controller.viewer, self)
        self.toggle = QPushButton("Probe a place")
        self.toggle.setCheckable(True)
        self.toggle.setToolTip(
            "While this is on, a click in the image asks the model about that place; Esc leaves"
        )
        self.clear = button("Clear", "Take the probe and its layers away", self._clear)
        self.status = note()
        self.classes = BarList("Probability of each class at this place, in one crop around it")
        self.reading = note("How strongly it reads each relay token:")
        self.tokens = BarList(
            "Attention weight with which this place's patch reads each relay token, mean over "
            "blocks and heads. Dashed: if it read everything it can read alike."
        )
        self.share = note()
        self.key = note(
            f'<span style="color:{LOCAL_COLOR}">■</span> detail '
            f'<span style="color:{GLOBAL_COLOR}">■</span> wide view, '
            "brighter where more was read through the relay tokens"
        )
        self.what_if = WhatIfPart(controller)
        self._results = (self.classes, self.reading, self.tokens, self.share, self.key)
        self.add_row(self.toggle, self.clear)
        self.add(self.status)
        for widget in (*self._results, self.what_if):
            self.add(widget)
        self.toggle.toggled.connect(self._on_probing)
        self.tool.toggled.connect(self._on_tool)
        self.tool.clicked.connect(self._on_click)
        self.what_if.choosing_changed.connect(self._on_choosing)
        controller.session_changed.connect(self._follow_session)
        controller.model_changed.connect(self._refresh)
        tool = self.tool
        self.destroyed.connect(lambda: tool.close())
        self._follow_session()

    # --- following the controller

    def _follow_session(self) -> None:
        layers = self._controller.current
        prober = layers.prober if layers is not None else None
        if prober is not self._prober:
            if self._prober is not None:
                self._prober.probed.disconnect(self._on_probed)
                self._prober.changed.disconnect(self._refresh)
            self._prober = prober
            if prober is not None:
                prober.probed.connect(self._on_probed)
                prober.changed.connect(self._refresh)
        self.what_if.follow(prober)
        self._refresh()
        self._prepare()

    def _refresh(self) -> None:
        prober = self._prober
        ready = prober is not None and prober.ready
        self.setEnabled(ready)
        if not ready:
            self.tool.put_down()
        self.clear.setEnabled(prober is not None and bool(prober.overlays))
        self._show(prober.probe if prober is not None else None)
        self._tell()

    def _tell(self, text: str = "") -> None:
        text = text or self._status()
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def _status(self) -> str:
        prober, classes = self._prober, self._classes()
        if prober is None or classes is None:
            return ""
        if prober.refusal:
            return prober.refusal
        if prober.probing:
            return "Looking…"
        if prober.probe is not None:
            return place_sentence(prober.probe, classes)
        return _HINT if self.tool.is_held else ""

    def _classes(self) -> ClassSchema | None:
        session = self._controller.session
        checkpoint = session.checkpoint if session is not None else None
        return checkpoint.metadata.classes if checkpoint is not None else None

    # --- what the person does

    def _on_probing(self, checked: bool) -> None:
        if checked:
            self.tool.take()
        else:
            self.tool.put_down()

    def _on_tool(self, held: bool) -> None:
        self.toggle.setChecked(held)
        self._prepare()
        if not held:
            self.what_if.stop_choosing()
        self._tell()

    def _prepare(self) -> None:
        if self.tool.is_held and self._prober is not None:
            self._prober.layers.prepare()

    def _on_choosing(self, choosing: bool) -> None:
        if choosing:
            self.tool.take()

    def _on_click(self, world: tuple[float, float]) -> None:
        layers, prober = self._controller.current, self._prober
        if layers is None or prober is None:
            return
        place = place_in(layers, world)
        if place is None:
            self._tell(_OUTSIDE)
        elif self.what_if.choosing:
            self.what_if.choose_place(place)
        else:
            prober.look_at(place)

    def _clear(self) -> None:
        if self._prober is not None:
            self._prober.clear()

    # --- what was found

    def _on_probed(self, probe: Probe) -> None:
        self._show(probe)
        self._tell()
        self.clear.setEnabled(True)

    def _show(self, probe: Probe | None) -> None:
        classes = self._classes()
        shown = probe is not None and classes is not None
        for widget in self._results:
            widget.setVisible(shown)
        if probe is None or classes is None:
            return
        self.classes.show_bars(class_bars(probe, classes))
        longest = max(float(probe.mean_reading.max()), probe.even_reading) * 1.05
        self.tokens.show_bars(token_bars(probe, longest), probe.even_reading / longest)
        self.share.setText(share_sentence(probe))


def place_in(layers: SessionLayers, world: tuple[float, float]) -> Place | None:
    """The pixel of an image at world coordinates; None outside it."""
    row, col = (math.floor(v + 0.5) for v in layers.base.world_to_data(world)[:2])
    height, width = layers.session.image.shape
    return Place(row, col) if 0 <= row < height and 0 <= col < width else None


def class_bars(probe: Probe, classes: ClassSchema) -> list[Bar]:
    """The likeliest classes, in the order of the legend."""
    likeliest = sorted(np.argsort(-probe.probabilities, kind="stable")[:_MOST_CLASSES])
    return [
        Bar(classes.names[k], float(p), f"{p:.1%}", classes.colors[k])
        for k in likeliest
        for p in [probe.probabilities[k]]
    ]


def token_bars(probe: Probe, longest: float) -> list[Bar]:
    """How strongly each relay token is read; a bar of full length is ``longest``."""
    return [
        Bar(f"token {k}", float(weight) / longest, f"{weight:.1%}")
        for k, weight in enumerate(probe.mean_reading, start=1)
    ]
