"""The demo: a shipped model at work on a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import napari
from qtpy.QtCore import QObject, QTimer

from napari_relay.geometry import Window
from napari_relay.samples import sample_landscape, sample_slide
from napari_relay.widgets.app import open_window, save_window
from napari_relay.widgets.controller import PREDICTING
from napari_relay.widgets.panel import RelayPanel

_SETTLE_MS = 1500
"""How long layers may follow the last tile before the window is drawn."""
_PATIENCE = 60
"""How often that time is waited for pixels that are not there yet."""


@dataclass(frozen=True)
class Demo:
    """What a demo shows."""

    image: Path
    """The sample."""
    model: str | Path
    """A model of the zoo or a folder."""
    view: Window | None = None
    """Level-0 pixels that are looked at first, and predicted first; None: the whole image."""
    attention: bool = False
    """Whether the relay tokens' attention is shown at the end."""


LANDSCAPE = Demo(sample_landscape(), "landscape-vit-tiny", view=Window(4550, 3600, 1600, 1300))
"""Synthetic terrain: a site with its moats, and open country beside it."""
SLIDE = Demo(sample_slide(), "tissue-vit-tiny", attention=True)
"""A real slide."""


def run_demo(demo: Demo, screenshot: Path | None = None) -> int:
    """Open the sample, predict what is in view and then the rest.

    Parameters
    ----------
    demo
        What is shown.
    screenshot
        Predict what is in view alone, write a picture of the whole window here,
        then close; None: leave the window open.

    Returns
    -------
    int
        Exit status: 1 when the prediction for a picture did not come to its end.
    """
    panel = open_window()
    status = [1 if screenshot is not None else 0]

    def leave(complete: bool) -> None:
        if screenshot is not None:
            status[0] = 0 if complete else 1
            QTimer.singleShot(_SETTLE_MS, lambda: _leave(panel, screenshot))

    running = DemoRun(panel, demo, leave, view_only=screenshot is not None)
    running.start()
    napari.run()
    return status[0]


class DemoRun(QObject):
    """A demo in a window.

    Parameters
    ----------
    panel
        Of the window.
    demo
        What is shown.
    ended
        Called when the prediction has ended, with whether it came to its own
        end; and with False when it could not begin.
    view_only
        Predict nothing but what is in view.
    """

    def __init__(
        self, panel: RelayPanel, demo: Demo, ended: Callable[[bool], None], *, view_only: bool
    ) -> None:
        super().__init__(panel)
        self._panel, self._demo, self._told, self._view_only = panel, demo, ended, view_only
        panel.controller.jobs.ended.connect(self._on_ended)

    def start(self) -> None:
        """Open the sample; the rest follows."""
        self._panel.controller.open(self._demo.image, self._begin)

    def _begin(self) -> None:
        controller = self._panel.controller
        if self._demo.view is not None:
            controller.look_at(self._demo.view)
        if not controller.use_model(self._demo.model):
            self._told(False)
        elif self._view_only:
            controller.predict_view()
        else:
            controller.predict_all()

    def _on_ended(self, name: str, complete: bool) -> None:
        if name != PREDICTING:
            return
        self._panel.controller.jobs.ended.disconnect(self._on_ended)
        if self._demo.attention:
            self._panel.attention.shown.setChecked(True)
        self._told(complete)


def _leave(panel: RelayPanel, screenshot: Path, patience: int = _PATIENCE) -> None:
    viewer = panel.controller.viewer
    if patience and not all(layer.loaded for layer in viewer.layers if layer.visible):
        QTimer.singleShot(_SETTLE_MS, lambda: _leave(panel, screenshot, patience - 1))
        return
    save_window(viewer, screenshot)
    QTimer.singleShot(0, lambda: viewer.close())
