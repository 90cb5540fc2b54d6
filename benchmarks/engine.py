"""Tiled prediction end to end against the bare model's forward passes.

``python -m benchmarks.engine --output benchmarks/results/engine.json``

Makes a tiled BigTIFF with levels in a temporary folder and predicts a window of
it. The bare model runs in batches of the same size over crops of the same image,
as many as the engine runs (those around the window too), with as many threads.
The two alternate, round after round, in one process; the ratio is the bare
model's seconds over the engine's, so 1 means that reading, blending and writing
cost nothing. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.inference import (
    PredictionStore,
    PredictOptions,
    predict,
    read_crop_pair,
    share_interpreter,
)
from napari_relay.inference.devices import autocast_dtype, choose_device
from relay_tokens import Checkpoint, load_model

MODELS = ("slope-vit-tiny", "tissue-vit-tiny")
BATCH = 8
CROPS_KEPT = 64


@dataclass(frozen=True)
class Timing:
    """One model, with or without its attention recorded."""

    model: str
    """Name in the zoo."""
    attention: bool
    """Whether the relay tokens' attention is recorded, in both runs."""
    tiles: int
    """Tiles that the engine predicted in each round."""
    crops: int
    """Crops that each of the two ran in each round."""
    bare_ms_a_crop: float
    """Median over the rounds."""
    engine_ms_a_crop: float
    """Median over the rounds."""
    ratio: float
    """Median over the rounds of bare over engine; 1: no overhead."""
    ratios: tuple[float, ...]
    """Of each round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=8192, help="Rows and columns of the image.")
    parser.add_argument("--tiles", type=int, default=39, help="Tiles a side of the window.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, default=max((os.cpu_count() or 1) - 1, 1), help="Of the model."
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=BATCH, help="Crop pairs a forward pass.")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/engine.json"))
    arguments = parser.parse_args()
    if CROPS_KEPT % arguments.batch:
        parser.error(f"--batch must divide {CROPS_KEPT}, the crops that the bare model runs over")
    torch.set_num_threads(arguments.threads)
    share_interpreter()
    timings: list[Timing] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models:
            checkpoint = load_model(name)
            image = open_image(_write_image(Path(folder), checkpoint, arguments.side))
            for attention in (False, True):
                timings.append(_measure(name, checkpoint, image, attention, arguments))
                print(timings[-1])
    document = {"machine": _machine(arguments), "timings": [asdict(t) for t in timings]}
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")


def _write_image(folder: Path, checkpoint: Checkpoint, side: int) -> Path:
    """A tiled BigTIFF, zlib, with levels of half the size each: smooth ground and noise."""
    metadata = checkpoint.metadata
    path = folder / f"{metadata.name}.tif"
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(side // 64, side // 64, len(metadata.bands)))
    pixels = coarse.repeat(64, axis=0).repeat(64, axis=1).astype(np.float32)
    pixels += rng.normal(scale=0.3, size=pixels.shape).astype(np.float32)
    pixels = pixels * np.asarray(metadata.std, np.float32) + np.asarray(metadata.mean, np.float32)
    if len(metadata.bands) == 3:
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    _write_levels(path, pixels)
    return path


def _write_levels(path: Path, pixels: np.ndarray) -> None:
    color = "rgb" if pixels.shape[2] == 3 else "minisblack"
    count = max(int(np.log2(pixels.shape[0] / 512)), 0)
    tiled = {"tile": (256, 256), "compression": "zlib", "photometric": color}
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(np.squeeze(pixels), subifds=count, **tiled)
        for _ in range(count):
            rows, cols, bands = pixels.shape
            blocks = pixels.reshape(rows // 2, 2, cols // 2, 2, bands)
            pixels = blocks.mean(axis=(1, 3)).astype(pixels.dtype)
            tiff.write(np.squeeze(pixels), subfiletype=1, **tiled)


def _measure(
    name: str,
    checkpoint: Checkpoint,
    image: PyramidImage,
    attention: bool,
    arguments: argparse.Namespace,
) -> Timing:
    options = PredictOptions(
        batch_size=arguments.batch, device=arguments.device, attention=attention
    )
    with tempfile.TemporaryDirectory() as folder:
        store = PredictionStore.create(Path(folder) / "grid", image, checkpoint, options)
        grid = store.grid
    side = arguments.tiles * grid.stride
    window = Window(0, 0, side, side)
    tiles = len(grid.tiles_in(window))
    crops = len(grid.tiles_in(window.expanded(1)))
    bare = _bare(checkpoint, image, store, options, crops)
    _timed(bare)
    times = []
    for _ in range(arguments.rounds):
        times.append((_timed(bare), _engine(checkpoint, image, window, options)))
    alone, whole = (statistics.median(part) * 1000 / crops for part in zip(*times, strict=True))
    ratios = tuple(round(one / other, 3) for one, other in times)
    return Timing(
        name,
        attention,
        tiles,
        crops,
        round(alone, 2),
        round(whole, 2),
        round(statistics.median(ratios), 3),
        ratios,
    )


def _bare(
    checkpoint: Checkpoint,
    image: PyramidImage,
    store: PredictionStore,
    options: PredictOptions,
    crops: int,
) -> Callable[[], None]:
    """The model alone over ``crops`` crop pairs that were read before."""
    config, metadata = checkpoint.model.config, checkpoint.metadata
    windows = [store.grid.crop(3 + k // 8, 3 + k % 8) for k in range(CROPS_KEPT)]
    pairs = [read_crop_pair(image, window, config, metadata) for window in windows]
    device, size = choose_device(options.device), options.batch_size
    dtype = autocast_dtype(device, options.precision)
    local = torch.from_numpy(np.stack([pair.local for pair in pairs])).to(device)
    wide = torch.from_numpy(np.stack([pair.global_ for pair in pairs])).to(device)
    model = checkpoint.model.to(device)

    @torch.inference_mode()
    def run() -> None:
        for first in range(0, crops, size):
            start = first % CROPS_KEPT
            part = slice(start, start + min(size, crops - first))
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                output = model(local[part], wide[part], options.attention)
        output.local_logits.sum().item()  # a GPU is waited for

    return run


def _engine(
    checkpoint: Checkpoint, image: PyramidImage, window: Window, options: PredictOptions
) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = PredictionStore.create(Path(folder) / "store", image, checkpoint, options)
        return _timed(lambda: list(predict(checkpoint, image, store, [window], options)))


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _machine(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": _device_name(arguments.device),
        "batch": arguments.batch,
    }


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else device


if __name__ == "__main__":
    main()
