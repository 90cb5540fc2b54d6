"""Write rasters of predictions of 30 000² and 100 000²: time, size and memory.

``python -m benchmarks.exports --output benchmarks/results/exports.json``

The prediction is a store on disk in which every tile of a diagonal band, and a
share of all others, is predicted: blobs of three classes. Each export runs in a
process of its own; memory is the largest resident set while it runs, less what
was resident before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np

from benchmarks.gigapixel import MB, peak_mb, resident_mb
from benchmarks.own_process import run_in_own_process
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions
from napari_relay.inference.tile import PredictedTile
from relay_tokens import load_model

SIDES = (30_000, 100_000)
NAMES = ("mask.tif", "mask.ome.tif", "mask.ome.zarr")
MODEL = "tissue-vit-tiny"
PERIOD = 8
"""Of the tiles away from the diagonal, one in so many rows and columns is predicted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES))
    parser.add_argument("--names", nargs="+", default=list(NAMES))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/exports.json"))
    arguments = parser.parse_args()
    exports = []
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "store"
            make_store(folder, side)
            for name in arguments.names:
                call = f"measure({str(folder)!r}, {side}, {name!r})"
                exports.append(
                    run_in_own_process(f"from benchmarks.exports import measure; {call}")
                )
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    document = {"machine": machine, "exports": exports}
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def make_image(side: int) -> PyramidImage:
    """An image without a file, in UTM; it is never read."""
    pixels = da.zeros((side, side, 3), dtype=np.uint8, chunks=(4096, 4096, 3))
    return PyramidImage(
        levels=(pixels,),
        factors=(1.0,),
        bands=("red", "green", "blue"),
        source=Path("synthetic.tif"),
        pixel_size=(0.5, 0.5),
        unit="m",
        crs="EPSG:32648",
        affine=(0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0),
        synthetic=f"zeros {side}",
    )


def make_store(folder: Path, side: int) -> PredictionStore:
    """A store with blobs of classes in some of its tiles."""
    options = PredictOptions(device="cpu")
    store = PredictionStore.create(folder, make_image(side), load_model(MODEL), options)
    count = len(store.classes)
    rows, cols = store.grid.shape
    for row in range(rows):
        tiles = [
            _tile(store, row, col, count)
            for col in range(cols)
            if abs(row - col) < PERIOD or not (row % PERIOD or col % PERIOD)
        ]
        store.write(tiles)
    return store


def _tile(store: PredictionStore, row: int, col: int, count: int) -> PredictedTile:
    area = store.grid.tile(row, col)
    y, x = np.mgrid[area.y0 : area.y1, area.x0 : area.x1]
    labels = ((np.sin(y / 37) + np.cos(x / 53) + 2) / 4 * count).astype(np.uint8)
    score = np.full(labels.shape, 200, np.uint8)
    other = score if store.disagreement is not None else None
    return PredictedTile((row, col), labels, score, score, other, None, None)


def measure(folder: str, side: int, name: str) -> None:
    """Export once; print one line of JSON."""
    from napari_relay.exporting import completed, export_raster

    store, image = PredictionStore.open(folder), make_image(side)
    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as scratch, peak_mb() as peak:
        before, start, used = resident_mb(), time.perf_counter(), time.process_time()
        path = completed(export_raster(store, image, Path(scratch) / name))
        took, cpu = time.perf_counter() - start, time.process_time() - used
        size = sum(p.stat().st_size for p in [path, *path.rglob("*")] if p.is_file())
    result = {
        "side": side,
        "format": name,
        "seconds": round(took, 1),
        "cpu_seconds": round(cpu, 1),
        "size_mb": round(size / MB, 1),
        "peak_mb_above_open_store": round(peak[0] - before),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
