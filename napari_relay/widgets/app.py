"""The desktop app: a napari window with the Relay panel."""

from __future__ import annotations

import gc
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import imageio.v3
import napari
from napari._qt import qt_main_window
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_relay.inference import reserve_gui_core, share_interpreter, stand_back
from napari_relay.sessions import is_session
from napari_relay.widgets.panel import RelayPanel, main_window
from napari_relay.widgets.start_page import StartPage

_SIZE = (1600, 1000)
_COLLECT_EVERY_MS = 60_000
_NEVER = 1_000_000
_PATIENCE = 5
"""Of the threads that read pixels: less than of those that predict."""


def run_app(paths: list[Path], model: str | None = None, *, stack: bool = False) -> int:
    """Open the window with the given images or a session, and wait until it is closed.

    Parameters
    ----------
    paths
        Images to open, one after the other; a session comes first, wherever it stands.
    model
        A model of the zoo or a folder, used for each of them.
    stack
        Whether they are rasters of one place that become one image.
    """
    panel = open_window()
    for session in [path for path in paths if is_session(path)][-1:]:
        panel.sessions.open(session)
    paths = [path for path in paths if not is_session(path)]
    _open_in_turn(panel, [tuple(paths)] if stack and paths else [(p,) for p in paths], model)
    napari.run()
    return 0


def open_window() -> RelayPanel:
    """Open a napari window with the panel docked on its right."""
    # Slicing in the background keeps panning smooth; said by the environment,
    # it stays out of the person's own napari settings.
    os.environ.setdefault("NAPARI_ASYNC", "1")
    reserve_gui_core()
    share_interpreter()
    _collect_less()
    _read_in_the_background()
    # napari warns about PyQt5 over the scale bar and on the terminal; which Qt
    # is installed is not the business of the person at the microscope.
    qt_main_window.SHOW_QT_WARNING = False
    warnings.filterwarnings("ignore", message="System theme detection requires")
    viewer = Viewer(title="napari-relay", show_welcome_screen=False)
    panel = RelayPanel(viewer)
    _collect_now_and_then(panel)
    viewer.window.add_dock_widget(panel, name="Relay", area="right")
    viewer.window.resize(*_SIZE)
    add_start_page(panel)
    return panel


def _collect_less() -> None:
    """Leave what importing made out of Python's collections of garbage, once in a process.

    Half a million objects: looking through them stops every thread for 0.3 s and more.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def _collect_now_and_then(parent: QObject) -> None:
    """Look through all that has lived for long once a minute, not every few seconds.

    It takes 50 ms, which beside a frame being drawn is too long for a hand that pans.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*usual[:2], _NEVER)

    def collect_as_before() -> None:
        gc.set_threshold(*usual)

    parent.destroyed.connect(collect_as_before)

    def collect() -> None:
        gc.collect()

    timer = QTimer(parent)
    timer.timeout.connect(collect)
    timer.start(_COLLECT_EVERY_MS)


def _read_in_the_background() -> None:
    """Let Dask compute pixels where the window leaves time; holds for the process."""
    pool = ThreadPoolExecutor(os.cpu_count(), "relay-pixels", stand_back, (_PATIENCE,))
    dask.config.set(pool=pool)


def add_start_page(panel: RelayPanel) -> StartPage | None:
    """Cover the canvas with the start page while no image is open.

    Parameters
    ----------
    panel
        Docked in the viewer's window.

    Returns
    -------
    StartPage
        The page; None where no canvas was found.
    """
    window = main_window(panel)
    inside = window.findChildren(QWidget) if window is not None else []
    canvas = next((widget for widget in inside if widget.inherits("QOpenGLWidget")), None)
    if canvas is None:
        return None
    page = StartPage(panel.controller, panel.sessions, panel.image.ask, canvas)
    panel.destroyed.connect(page.close_page)
    return page


def save_window(viewer: Viewer, path: Path) -> None:
    """Write a picture of the whole window as PNG."""
    imageio.v3.imwrite(path, viewer.screenshot(canvas_only=False, flash=False))


def _open_in_turn(panel: RelayPanel, images: list[tuple[Path, ...]], model: str | None) -> None:
    if not images:
        return
    first, *rest = images

    def opened() -> None:
        if model is not None:
            panel.controller.use_model(model)
        _open_in_turn(panel, rest, model)

    panel.controller.open_stack(first, opened)
