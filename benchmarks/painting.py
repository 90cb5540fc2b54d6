"""Painting corrections on an image of 100 000 × 100 000 px, in a real window.

``xvfb-run -a -s "-screen 0 1920x1200x24" python -m benchmarks.painting``

An empty store of that size, its layer over nothing else, the app's own painter and autosaver.
A *move* is timed from the mouse's movement until the window is drawn again, at several zooms;
the brush is 20 pixels of the screen wide. What goes to the worker is timed until it is done,
with the longest time that the window did not answer meanwhile. Beside the time on the clock
stands the processor time of the process, which other programs do not lengthen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.own_process import run_in_own_process

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_relay.widgets.paintable_labels import Labels
    from napari_relay.widgets.painter import Painter

SIDE = 100_000
ZOOMS = {"full resolution": 1.0, "level 3": 0.125, "whole image": 0.0065}
MOVES = 30
STROKES = 10


@dataclass
class Timings:
    """Times of one thing that was done several times."""

    wall: list[float] = field(default_factory=list)
    """Seconds on the clock."""
    processor: list[float] = field(default_factory=list)
    """Seconds of the processor, all threads together."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Time what is done within."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)

    @property
    def summary(self) -> dict[str, float]:
        """Milliseconds."""
        return {
            "median_ms": _ms(np.median(self.wall)),
            "p95_ms": _ms(np.percentile(self.wall, 95)),
            "processor_median_ms": _ms(np.median(self.processor)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/painting.json"))
    arguments = parser.parse_args()
    code = f"from benchmarks.painting import measure; measure({arguments.side})"
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    document = {"machine": machine, **run_in_own_process(code)}
    text = json.dumps(document, indent=2)
    arguments.output.write_text(text + "\n")
    print(text)


def measure(side: int) -> None:
    """Paint in a window; print one line of JSON."""
    import psutil
    from napari.viewer import Viewer

    from benchmarks.heartbeat import run_loop, run_until
    from napari_relay.annotation import Autosaver, CorrectionStore
    from napari_relay.widgets.paintable_labels import corrections_layer
    from napari_relay.widgets.painter import Painter
    from relay_tokens import ClassSchema

    viewer, process = Viewer(), psutil.Process()
    viewer.window.resize(1100, 800)
    run_loop(2)
    with tempfile.TemporaryDirectory() as folder:
        store = CorrectionStore.create(
            Path(folder) / "store", (side, side), ClassSchema.from_names(list("abcd")), "image"
        )
        before, start = process.memory_info().rss, time.perf_counter()
        layer = viewer.add_layer(corrections_layer(store))
        layer.painter = Painter()
        run_until(lambda: layer.loaded and not layer._slice.empty)
        found: dict[str, object] = {"side": side, "ready_s": round(time.perf_counter() - start, 2)}
        with Autosaver(store.flush, _raise):
            found["zooms"] = {name: _strokes(viewer, layer, z) for name, z in ZOOMS.items()}
            found["polygon of 600 px"] = _small_polygon(viewer, layer)
            found["polygon of 20 000 px"] = _large_polygon(layer, layer.painter)
            found["added_mb"] = round((process.memory_info().rss - before) / 2**20)
            found["undo_history_mb"] = round(layer._undo_history.nbytes / 2**20, 2)
        viewer.close()
        run_loop(0.5)
    print(json.dumps(found))


def _strokes(viewer: Viewer, layer: Labels, zoom: float) -> dict[str, object]:
    """Move the brush across the view, and undo that, at one zoom."""
    from napari.utils.interactions import (
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    from benchmarks.heartbeat import run_loop
    from tests.widgets.mouse import Mouse

    middle = layer.data.pyramid.window.center
    viewer.scene.camera.center, viewer.scene.camera.zoom = middle, zoom
    run_loop(0.5)
    layer.mode, layer.brush_size = "paint", max(20 / zoom, 1)
    mouse, moves, strokes, undos = Mouse(layer), Timings(), Timings(), Timings()
    rng = np.random.default_rng(0)
    for number in range(STROKES):
        layer.selected_label = 1 + number % 4
        places = np.cumsum(rng.normal(0, 12, (MOVES, 2)), axis=0) / zoom + middle
        mouse_press_callbacks(layer, mouse.event("mouse_press", *places[0]))
        for place in places[1:]:
            with moves.one():
                mouse_move_callbacks(layer, mouse.event("mouse_move", *place))
                _draw(viewer)
        with strokes.one():
            mouse_release_callbacks(layer, mouse.event("mouse_release", *places[-1]))
            _finish(layer)
    for _ in range(STROKES):
        with undos.one():
            layer.undo()
            _finish(layer)
            _draw(viewer)
    return {"move": moves.summary, "release until painted": strokes.summary, "undo": undos.summary}


def _small_polygon(viewer: Viewer, layer: Labels) -> dict[str, float]:
    from benchmarks.heartbeat import run_loop

    row, col = (int(n) for n in layer.data.pyramid.window.center)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (row, col), 1.0
    run_loop(0.5)
    timings = Timings()
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for number in range(STROKES):
        reach = 300 * (0.7 + 0.3 * np.cos(angles * 3 + number))
        corners = np.stack([row + reach * np.sin(angles), col + reach * np.cos(angles)], axis=1)
        with timings.one():
            layer.paint_polygon(corners, 1 + number % 4)
            _draw(viewer)
    return timings.summary


def _large_polygon(layer: Labels, painter: Painter) -> dict[str, object]:
    corners = np.array([[1000, 3000], [21_000, 1000], [19_000, 21_000], [3000, 19_000]])
    return {
        "painted": _in_worker(painter, lambda: layer.paint_polygon(corners, 2)),
        "undone": _in_worker(painter, layer.undo),
    }


def _in_worker(painter: Painter, begin: Callable[[], None]) -> dict[str, object]:
    from benchmarks.heartbeat import heartbeat, run_until

    start = time.perf_counter()
    with heartbeat() as beats:
        begin()
        run_until(lambda: not painter.busy, 600)
    return {"seconds": round(time.perf_counter() - start, 2), "stalls_ms": beats.stalls_ms}


def _finish(layer: Labels) -> None:
    from benchmarks.heartbeat import run_until

    run_until(lambda: layer.painter is None or not layer.painter.busy)


def _draw(viewer: Viewer) -> None:
    """Have the window drawn, and wait for that."""
    from qtpy.QtWidgets import QApplication

    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    drawn: list[object] = []
    canvas.events.draw.connect(drawn.append, position="last")
    canvas.update()
    while not drawn:
        QApplication.processEvents()
    canvas.events.draw.disconnect(drawn.append)


def _ms(seconds: float) -> float:
    return round(float(seconds) * 1000, 1)


def _raise(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
