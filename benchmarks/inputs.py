"""Open and predict images, each in a process of its own, and measure time and memory.

``python -m benchmarks.inputs IMAGE=MODEL [IMAGE=MODEL ...] --output results.json``

Memory is the largest resident set of the whole process (``ru_maxrss``), with
what importing PyTorch alone takes beside it. Times are wall-clock seconds of
one run, so they also say how busy the machine was; the ratio of the prediction
to the bare model's forward passes on as many crops is steadier.
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

from benchmarks.own_process import run_in_own_process

BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="IMAGE=MODEL")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/inputs.json"))
    arguments = parser.parse_args()
    document = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
        "images": [_in_own_process(pair) for pair in arguments.pairs],
    }
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def _in_own_process(pair: str) -> dict[str, object]:
    image, model = pair.rsplit("=", 1)
    code = f"from benchmarks.inputs import measure; measure({image!r}, {model!r})"
    return run_in_own_process(code)


def measure(path: str, model: str) -> None:
    """Open, open again, predict everything; print one line of JSON."""
    import torch

    from napari_relay.images import open_image
    from napari_relay.inference import PredictionStore, PredictOptions, predict, reserve_gui_core
    from relay_tokens import load_model

    imported = _peak_mb()
    reserve_gui_core()
    opened, image = _timed(lambda: open_image(path))
    reopened, image = _timed(lambda: open_image(path))
    checkpoint = load_model(model)
    options = PredictOptions(batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        store = PredictionStore.create(Path(folder) / "prediction", image, checkpoint, options)
        predicted, tiles = _timed(
            lambda: len(list(predict(checkpoint, image, store, options=options)))
        )
    config = checkpoint.model.config
    crops = torch.zeros(BATCH, config.in_channels, config.crop_size, config.crop_size)
    with torch.inference_mode():
        bare, _ = _timed(lambda: [checkpoint.model(crops, crops, True) for _ in range(10)])
    print(
        json.dumps(
            {
                "image": Path(path).name,
                "shape": image.shape,
                "model": model,
                "open_s": round(opened, 2),
                "open_again_s": round(reopened, 3),
                "predict_s": round(predicted, 1),
                "tiles": tiles,
                "predict_over_bare_forward": round(predicted / tiles / (bare / 10 / BATCH), 2),
                "peak_mb": _peak_mb(),
                "peak_mb_of_imports": imported,
            }
        )
    )


def _timed(call):  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
