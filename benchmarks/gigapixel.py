"""Open and predict images of 20 000² and 100 000² px: time, and memory above the loaded model.

``python -m benchmarks.gigapixel --output benchmarks/results/gigapixel.json``

Every image is a pyramid of JPEG tiles made for the run (about 3 GB for 100 000²)
and measured in a process of its own. Memory is resident set: after the first
view, less before opening; and the largest while predicting, less what the loaded
model and the opened image take. Predicting covers windows spread over the whole
image, since memory must not depend on how much of it is done.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.images import write_slide
from benchmarks.own_process import run_in_own_process

SIDES = (20_000, 100_000)
MODEL = "tissue-vit-tiny"
WINDOWS = 5
"""Windows a row and a column that are predicted."""
WINDOW = 512
"""Their side, px."""
VIEW = (1080, 1920)
"""Rows and columns of a window on the screen."""
MB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES))
    parser.add_argument("--folder", type=Path, help="Where the images are made, and kept.")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gigapixel.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        images = [_in_own_process(make_slide(folder, side)) for side in arguments.sides]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    document = {"machine": machine, "model": MODEL, "images": images}
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def make_slide(folder: Path, side: int) -> Path:
    path = folder / f"slide-{side}.tif"
    if not path.exists():
        levels = max((side // 1024).bit_length(), 1)
        write_slide(path, side, levels)
    return path


def _in_own_process(path: Path) -> dict[str, object]:
    return run_in_own_process(f"from benchmarks.gigapixel import measure; measure({str(path)!r})")


def measure(path: str) -> None:
    """Open, look, predict; print one line of JSON."""
    from napari_relay.geometry import Window
    from napari_relay.images import open_image
    from napari_relay.inference import PredictionStore, PredictOptions, predict, reserve_gui_core
    from relay_tokens import load_model

    reserve_gui_core()
    before, start = resident_mb(), time.perf_counter()
    image = open_image(path)
    opened = time.perf_counter() - start
    level = next(k for k, lv in enumerate(image.levels) if lv.shape[0] <= 2 * VIEW[1])
    image.levels[level][: VIEW[0], : VIEW[1]].compute()
    viewed, view_mb = time.perf_counter() - start, resident_mb() - before

    checkpoint = load_model(MODEL)
    options = PredictOptions(device="cpu")
    side = image.shape[0]
    places = [k * (side - WINDOW) // (WINDOWS - 1) for k in range(WINDOWS)]
    windows = [Window(y, x, WINDOW, WINDOW) for y in places for x in places]
    with tempfile.TemporaryDirectory() as folder, peak_mb() as peak:
        loaded, start = resident_mb(), time.perf_counter()
        store = PredictionStore.create(Path(folder) / "prediction", image, checkpoint, options)
        results = predict(checkpoint, image, store, windows, options)
        next(iter(results))
        first = time.perf_counter() - start
        tiles = 1 + sum(1 for _ in results)
        predicted = time.perf_counter() - start
    result = {
        "side": side,
        "open_s": round(opened, 3),
        "first_view_s": round(viewed, 3),
        "first_view_mb": round(view_mb),
        "first_tile_s": round(first, 2),
        "tiles": tiles,
        "predict_s": round(predicted, 1),
        "peak_mb_above_loaded_model": round(peak[0] - loaded),
    }
    print(json.dumps(result))


def resident_mb() -> float:
    return float(psutil.Process().memory_info().rss / MB)


@contextmanager
def peak_mb() -> Iterator[list[float]]:
    """Largest resident set while the block runs, sampled every 20 ms."""
    peak, ended = [resident_mb()], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            peak[0] = max(peak[0], resident_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
