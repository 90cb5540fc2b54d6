"""Objects of a mask as polygons: a million from 50 000² px, time and memory.

``python -m benchmarks.vectors --output benchmarks/results/vectors.json``

Makes prediction stores whose objects lie 50 px apart (blobs with a wavy edge, two
classes, some with a hole), and exports them, each export in a process of its own.
Times are CPU seconds of that process. Memory is its largest resident set, less
what it had with the store opened and all libraries loaded. Beside it, on a smaller
mask, the naive way: ``rasterio.features.shapes`` over the whole array, all polygons
in memory, one write by pyogrio; it measures nothing of the objects.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pyogrio
import rasterio.features
import shapely
import torch
from numpy.typing import NDArray

from benchmarks.own_process import run_in_own_process
from napari_relay.exporting.vectors import ObjectOptions, export_objects, iter_objects
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions
from napari_relay.inference.chunks import StoredArray
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata, RelayConfig, RelaySegmenter

SPACING = 50
"""Pixels between the middles of objects."""
PLACE = (0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0)
EXPORTS = {
    "objects without outlines": ("", 0.0),
    "GeoPackage": ("a.gpkg", 0.0),
    "GeoJSON (RFC 7946)": ("a.geojson", 0.0),
    "GeoJSON (QuPath)": ("a.qupath.geojson", 0.0),
    "GeoPackage, simplified by 1 m": ("a.gpkg", 1.0),
}
"""Name, file and tolerance of what is measured."""
MB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=50_000, help="Rows and columns of the mask.")
    parser.add_argument("--piece", type=int, default=10_000, help="The same of the smaller one.")
    parser.add_argument("--folder", type=Path, help="Where the stores are made, and kept.")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/vectors.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        large = [measured(folder, arguments.side, name) for name in EXPORTS]
        small = [measured(folder, arguments.piece, name) for name in (*EXPORTS, "naive")]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    document = {"machine": machine, "large": large, "small": small, **ratios(small)}
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def ratios(small: list[dict[str, object]]) -> dict[str, float]:
    """Seconds and memory of the naive way over those of a GeoPackage."""
    naive, ours = (next(m for m in small if m["what"] == w) for w in ("naive", "GeoPackage"))
    return {
        f"naive_over_ours_{key}": round(float(str(naive[key])) / float(str(ours[key])), 2)
        for key in ("cpu_seconds", "peak_mb")
    }


def measured(folder: Path, side: int, name: str) -> dict[str, object]:
    """One export in a process of its own."""
    make_store(folder, side)
    code = f"import benchmarks.vectors as v; v.print_export({str(folder)!r}, {side}, {name!r})"
    found = run_in_own_process(code)
    print(found)
    return found


def print_export(folder: str, side: int, name: str) -> None:
    store, image = PredictionStore.open(store_folder(Path(folder), side)), make_image(side)
    rasterio.features.shapes(np.zeros((1, 1), np.uint8))
    before, start = peak_mb(), time.process_time()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if name == "naive":
            count, path = export_naively(store, Path(scratch) / "a.gpkg")
        else:
            count, path = export(store, image, Path(scratch), *EXPORTS[name])
        seconds, memory = time.process_time() - start, peak_mb() - before
        size = path.stat().st_size / MB if path is not None else 0.0
    print(
        json.dumps(
            {
                "what": name,
                "side_px": side,
                "objects": count,
                "cpu_seconds": round(seconds, 1),
                "objects_a_second": round(count / seconds),
                "peak_mb": round(memory),
                "file_mb": round(size),
            }
        )
    )


def export(
    store: PredictionStore, image: PyramidImage, folder: Path, file: str, tolerance: float
) -> tuple[int, Path | None]:
    if not file:
        return sum(1 for _ in iter_objects(store, image)), None
    for _ in export_objects(store, image, folder / file, ObjectOptions(simplify=tolerance)):
        pass
    return pyogrio.read_info(folder / file, force_feature_count=True)["features"], folder / file


def export_naively(store: PredictionStore, path: Path) -> tuple[int, Path]:
    height, width = store.shape
    labels = np.asarray(store.labels[0][:height, :width])
    found = rasterio.features.shapes(labels, labels != 0, transform=rasterio.Affine(*PLACE))
    pairs = [(shapely.geometry.shape(shape), int(value)) for shape, value in found]
    shapes = shapely.to_wkb(np.array([shape for shape, _ in pairs], dtype=object))
    values = np.array([value for _, value in pairs])
    pyogrio.raw.write(
        path, shapes, [values], ["class_id"], geometry_type="Polygon", crs="EPSG:32648"
    )
    return len(pairs), path


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def store_folder(folder: Path, side: int) -> Path:
    return folder / f"prediction-{side}"


def make_image(side: int) -> PyramidImage:
    level = da.zeros((side, side, 1), np.uint8, chunks=(2048, 2048, 1))
    return PyramidImage(
        (level,),
        (1.0,),
        ("grey",),
        Path("blobs"),
        pixel_size=(0.5, 0.5),
        unit="m",
        crs="EPSG:32648",
        affine=PLACE,
        synthetic=f"blobs of {side} px",
    )


def make_store(folder: Path, side: int) -> None:
    """Write full resolution shard by shard; the coarser levels are not read here."""
    if store_folder(folder, side).exists():
        return
    config = RelayConfig("vit_tiny_patch16_224", 3, in_channels=1, num_relay_tokens=2)
    torch.manual_seed(0)
    names = ClassSchema.from_names(["background", "mound", "pit"])
    metadata = ModelMetadata("blobs", names, ("grey",), (0.0,), (1.0,))
    checkpoint = Checkpoint(RelaySegmenter(config).eval(), metadata)
    options = PredictOptions(attention=False)
    store = PredictionStore.create(
        store_folder(folder, side), make_image(side), checkpoint, options
    )
    sure = np.random.default_rng(0).integers(120, 256, (4096, 4096)).astype(np.uint8)
    apart = store.disagreement
    for level in (store.labels[0], store.confidence[0], *([apart[0]] if apart else [])):
        if isinstance(level, StoredArray):
            write_level(level, sure if level is not store.labels[0] else None)


def write_level(level: StoredArray, values: NDArray[np.uint8] | None) -> None:
    shard, chunk = level.shards[0], level.chunks[0]
    for y0 in range(0, level.shape[0], shard):
        for x0 in range(0, level.shape[1], shard):
            part = blobs(y0, x0, shard) if values is None else values[:shard, :shard]
            blocks = {}
            for i in range(0, min(shard, level.shape[0] - y0), chunk):
                for j in range(0, min(shard, level.shape[1] - x0), chunk):
                    block = np.zeros((chunk, chunk), np.uint8)
                    piece = part[i : i + chunk, j : j + chunk]
                    block[: piece.shape[0], : piece.shape[1]] = piece
                    blocks[(y0 + i) // chunk, (x0 + j) // chunk] = block
            level.put(blocks)


def blobs(y0: int, x0: int, side: int) -> NDArray[np.uint8]:
    """Labels of a square: what lies at a place is the same, whatever square it is cut from."""
    y = np.arange(y0, y0 + side, dtype=np.int32)[:, None]
    x = np.arange(x0, x0 + side, dtype=np.int32)[None]
    which = (y // SPACING) * 7919 + (x // SPACING) * 104_729
    dy, dx = y % SPACING - SPACING // 2, x % SPACING - SPACING // 2
    away = dy * dy + dx * dx + 40 * ((dy + which) >> 3 & 1) * ((dx + which) >> 3 & 1)
    radius = 8 + which % 13
    inside = (away < radius * radius) & ((away > 30) | (which % 5 > 0))
    labels: NDArray[np.uint8] = np.where(inside, 1 + which % 2, 0).astype(np.uint8)
    return labels


if __name__ == "__main__":
    main()
