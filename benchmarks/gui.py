"""The app's window while it works: stalls, first tile in view, pan and zoom.

``xvfb-run -a -s "-screen 0 1920x1200x24" python -m benchmarks.gui``

Four images, each in a process of its own: the sample landscape, which is computed when
it is read, and one of 4096² px in files, with ``landscape-vit-tiny``; slides of 30 000² and
100 000² px with ``tissue-vit-tiny`` (JPEG pyramids made for the run, about 3 GB). A timer of
5 ms tells how long the event loop is away: in napari alone with the same layer, in the app,
and in the app while it predicts, each time under the same pans and zooms. A *pan* is timed
from the movement of the camera until the image's pixels for it are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.gigapixel import make_slide
from benchmarks.own_process import run_in_own_process

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_relay.images import PyramidImage
    from napari_relay.widgets.panel import RelayPanel

SIDES = (30_000, 100_000)
SECONDS = 12.0
"""How long each state is watched."""
PACE = 0.15
"""Seconds between two movements."""
PANS = 30
"""Movements whose latency is timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", nargs="*", type=int, default=list(SIDES))
    parser.add_argument("--folder", type=Path, help="Where the slides are made, and kept.")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gui.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        images: list[dict[str, object]] = []
        for paths, model in _inputs(folder, arguments.sides):
            images.append(_in_own_process(paths, model))
            document = {"machine": _machine(), "images": images}
            arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def _inputs(folder: Path, sides: Iterable[int]) -> Iterator[tuple[tuple[Path, ...], str]]:
    """Files, none for the sample, and the model for them; made when their turn comes."""
    yield (), "landscape-vit-tiny"
    yield _make_landscape(folder), "landscape-vit-tiny"
    for side in sides:
        yield (make_slide(folder, side),), "tissue-vit-tiny"


def _machine() -> dict[str, object]:
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}


def _make_landscape(folder: Path) -> tuple[Path, ...]:
    from napari_relay.landscapes import Landscape, write_landscape

    land = folder / "landscape"
    if not land.exists():
        for _ in write_landscape(Landscape(seed=7002, size=(4096, 4096), scale=0.5), land):
            pass
    return land / "orthophoto.tif", land / "elevation.tif"


def _in_own_process(paths: tuple[Path, ...], model: str) -> dict[str, object]:
    names = [str(path) for path in paths]
    return run_in_own_process(f"from benchmarks.gui import measure; measure({names!r}, {model!r})")


def measure(names: list[str], model: str) -> None:
    """Watch napari alone, the app, and the app that predicts; print one line of JSON."""
    from benchmarks.heartbeat import run_loop, run_until
    from napari_relay.samples import sample_landscape
    from napari_relay.widgets.app import open_window

    paths = tuple(map(Path, names)) or (sample_landscape(),)
    panel = open_window()
    controller, viewer = panel.controller, panel.controller.viewer
    opened = []
    controller.open_stack(paths, lambda: opened.append(True))
    run_until(lambda: bool(opened), 600)
    base = controller.current.base
    run_loop(2)
    image = controller.session.image
    result: dict[str, object] = {"image": paths[0].name, "shape": image.shape}
    result["app"] = _watch(viewer, base)
    controller.use_model(model)
    run_loop(1)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 12
    run_loop(2)
    result["first_tile_in_view_s"] = round(_first_tile(panel), 2)
    controller.predict_all()
    result["predicting"] = _watch(viewer, base)
    result["still_predicting"] = controller.jobs.running
    controller.cancel()
    run_until(lambda: not controller.jobs.running)
    viewer.close()
    run_loop(0.5)
    result["napari_alone"] = _alone(image)
    print(json.dumps(result))


def _alone(image: PyramidImage) -> dict[str, object]:
    """The same layer in a viewer without the panel."""
    from napari.layers import Image
    from napari.viewer import Viewer

    from benchmarks.heartbeat import run_loop
    from napari_relay.widgets.image_layer import image_layer_data

    data, arguments, _ = image_layer_data(image)
    viewer = Viewer()
    viewer.window.resize(1600, 1000)
    layer = viewer.add_layer(Image(data, **arguments))
    run_loop(2)
    found = _watch(viewer, layer)
    viewer.close()
    return found


def _first_tile(panel: RelayPanel) -> float:
    """Seconds from the button to the first tile on screen."""
    from benchmarks.heartbeat import run_loop, run_until

    arrived: list[object] = []
    panel.controller.predicted.connect(arrived.append)
    panel.prediction.predict_view.click()
    seconds = run_until(lambda: bool(arrived))
    panel.controller.predicted.disconnect(arrived.append)
    run_loop(0.05)
    return seconds


def _watch(viewer: Viewer, layer: Layer) -> dict[str, object]:
    """Stalls under pans and zooms, and how long single pans take."""
    from benchmarks.heartbeat import heartbeat, run_loop

    viewer.reset_view()
    viewer.scene.camera.zoom *= 12
    run_loop(1)
    with heartbeat() as beats:
        for step in _steps(round(SECONDS / PACE)):
            _move(viewer, *step)
            run_loop(PACE)
    run_loop(2)
    latencies = [_latency(viewer, layer, step) for step in _steps(PANS)]
    return {
        "stalls_ms": beats.stalls_ms,
        "pan_zoom_ms": {
            "median": round(float(np.median(latencies)) * 1000, 1),
            "p95": round(float(np.percentile(latencies, 95)) * 1000, 1),
        },
    }


def _steps(count: int) -> list[tuple[float, float, float]]:
    """Movements down and across, in widths of the view, and factors of the zoom."""
    around = cycle(
        [(0, 0.3), (0.3, 0), (0, 0.3), (0, 0.3), (-0.3, 0), (0, -0.3), (0, -0.3), (0, -0.3)]
    )
    zooms = cycle([1, 1, 1, 1.5, 1, 1, 1, 1 / 1.5])
    return [(*next(around), next(zooms)) for _ in range(count)]


def _move(viewer: Viewer, down: float, across: float, zoom: float) -> None:
    camera = viewer.scene.camera
    rows, cols = np.asarray(viewer.canvas.size) / camera.zoom
    _, y, x = camera.center
    camera.center = (0, y + down * rows, x + across * cols)
    camera.zoom *= zoom


def _latency(viewer: Viewer, layer: Layer, step: tuple[float, float, float]) -> float:
    """Seconds from a movement until its last pixels; 0 where all were there."""
    from benchmarks.heartbeat import run_loop, run_until

    shown: list[float] = []

    def on_pixels() -> None:
        shown.append(time.perf_counter())

    layer.events.set_data.connect(on_pixels)
    start = time.perf_counter()
    _move(viewer, *step)
    run_loop(0.5)
    run_until(lambda: bool(layer.loaded))
    layer.events.set_data.disconnect(on_pixels)
    return shown[-1] - start if shown else 0.0


if __name__ == "__main__":
    main()
