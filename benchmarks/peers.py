"""Predict one image with napari-relay and with MONAI: time, memory, and the same labels.

``python -m benchmarks.peers --output benchmarks/results/peers.json``

Both run the same single-scale network (MONAI reads no wider crop) with the same
tiles, overlap, blending weights and batch size. MONAI takes an image in memory:
it is given one padded by reflection, so that its windows lie where ours do, and
its share of reading the file is counted. Each runs in a process of its own, in
turn, round after round; memory is the largest resident set less what it was with
the model loaded. Needs ``pip install monai``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from monai.inferers import sliding_window_inference

from benchmarks.gigapixel import peak_mb, resident_mb
from benchmarks.images import write_slide
from benchmarks.own_process import run_in_own_process
from napari_relay.geometry import TileGrid, Window
from napari_relay.images import open_image
from napari_relay.inference import PredictionStore, PredictOptions, predict, share_interpreter
from napari_relay.inference.blending import weight_window
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata, RelayConfig, RelaySegmenter

HALO = 32
BATCH = 4
MEMORY = 64 * 2**20
"""Bytes for class probabilities that wait for their neighbours, of ours."""
KINDS = ("napari-relay", "monai")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, default=max((os.cpu_count() or 1) - 1, 1), help="Of the network."
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/peers.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_slide(folder / "slide.tif", arguments.side, 4)
        threads = arguments.threads
        rounds = [
            {kind: _in_own_process(kind, folder, threads) for kind in KINDS}
            for _ in range(arguments.rounds)
        ]
        equal = _share_equal(folder)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": arguments.threads,
    }
    document = {
        "machine": machine,
        "side": arguments.side,
        **_summary(rounds),
        "same_labels": equal,
    }
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def _summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Medians over the rounds, and ratios of ours to MONAI's."""
    medians = {
        kind: {key: statistics.median(r[kind][key] for r in rounds) for key in rounds[0][kind]}
        for kind in KINDS
    }
    ours, theirs = (medians[kind] for kind in KINDS)
    return {
        "rounds": rounds,
        "speed_over_monai": round(theirs["seconds"] / ours["seconds"], 3),
        "memory_over_monai": round(ours["mb"] / theirs["mb"], 3),
    }


def _share_equal(folder: Path) -> float:
    ours, theirs = (np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in KINDS)
    return float(np.mean(ours == theirs))


def _in_own_process(kind: str, folder: Path, threads: int) -> dict[str, float]:
    call = f"measure({kind!r}, {str(folder)!r}, {threads})"
    result = run_in_own_process(f"from benchmarks.peers import measure; {call}")
    return {key: float(str(value)) for key, value in result.items()}


def measure(kind: str, folder: str, threads: int) -> None:
    """Predict the slide once; print one line of JSON and save the labels."""
    torch.set_num_threads(threads)
    share_interpreter()
    place = Path(folder)
    checkpoint = single_scale()
    labels_of = _ours if kind == KINDS[0] else _monai
    loaded = resident_mb()
    with peak_mb() as peak:
        start = time.perf_counter()
        labels = labels_of(checkpoint, place / "slide.tif")
        seconds = time.perf_counter() - start
    np.save(place / f"{kind}.npy", labels())
    print(json.dumps({"seconds": round(seconds, 2), "mb": round(peak[0] - loaded)}))


def single_scale() -> Checkpoint:
    """A small ViT without relay tokens; random weights, the same every time."""
    torch.manual_seed(0)
    config = RelayConfig(
        backbone="vit_tiny_patch16_224",
        num_classes=3,
        context_factor=None,
        backbone_options={"depth": 6},
    )
    model = RelaySegmenter(config).eval()
    with torch.no_grad():
        model.head.weight.normal_(0, 0.5)
    metadata = ModelMetadata(
        name="single-scale",
        classes=ClassSchema.from_names(["a", "b", "c"]),
        bands=("red", "green", "blue"),
        mean=(180.0,) * 3,
        std=(50.0,) * 3,
    )
    return Checkpoint(model, metadata)


def _ours(checkpoint: Checkpoint, path: Path):  # type: ignore[no-untyped-def]
    image = open_image(path)
    options = PredictOptions(
        device="cpu", halo=HALO, batch_size=BATCH, attention=False, memory=MEMORY
    )
    store = PredictionStore.create(
        path.with_suffix(f".{os.getpid()}.zarr"), image, checkpoint, options
    )
    for _ in predict(checkpoint, image, store, options=options):
        pass
    return lambda: store.read_labels(Window(0, 0, *store.shape))


def _monai(checkpoint: Checkpoint, path: Path):  # type: ignore[no-untyped-def]
    pixels = tifffile.imread(path, level=0)
    crop = checkpoint.model.config.crop_size
    grid = TileGrid(*pixels.shape[:2], crop - 2 * HALO, HALO)
    ends = [
        n * grid.stride + HALO - side for n, side in zip(grid.shape, pixels.shape, strict=False)
    ]
    padded = np.pad(pixels, [*((HALO, end) for end in ends), (0, 0)], mode="reflect")
    metadata = checkpoint.metadata
    mean, std = (torch.tensor(v)[:, None, None] for v in (metadata.mean, metadata.std))

    def predictor(crops: torch.Tensor) -> torch.Tensor:
        soft: torch.Tensor = checkpoint.model((crops - mean) / std).local_logits.softmax(1)
        return soft

    with torch.inference_mode():
        blended = sliding_window_inference(
            torch.from_numpy(padded.transpose(2, 0, 1)[None].astype(np.float32)),
            roi_size=(crop, crop),
            sw_batch_size=BATCH,
            predictor=predictor,
            overlap=2 * HALO / crop,
            roi_weight_map=weight_window(grid),
        )
    inside = blended[0, :, HALO : HALO + grid.height, HALO : HALO + grid.width]
    labels = inside.argmax(0).to(torch.uint8).numpy()
    return lambda: labels


if __name__ == "__main__":
    main()
