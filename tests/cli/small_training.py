"""The words of a training of a few seconds, as a person types them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
import torch

SMALL = [
    *("--backbone-options", '{"depth": 1, "embed_dim": 24, "num_heads": 2}'),
    *("--context-factor", "2", "--crop-size", "32", "--batch-size", "4"),
    *("--evaluate-every", "4", "--validation-crops", "2", "--device", "cpu"),
]


def write_data(folder: Path) -> None:
    """An image whose left half is dark, and the mask of its halves."""
    rng = np.random.default_rng(0)
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 64:] = 1
    pixels = np.repeat(mask[..., None] * 100, 3, axis=2) + rng.integers(0, 100, (128, 128, 3))
    tifffile.imwrite(
        folder / "image.tif", pixels.astype(np.uint8), photometric="rgb", tile=(64, 64)
    )
    tifffile.imwrite(folder / "labels.tif", mask)


def words(folder: Path, output: Path, *more: str) -> list[str]:
    """``train`` on what :func:`write_data` wrote."""
    labelled = [str(folder / "image.tif"), "--labels", str(folder / "labels.tif")]
    named = ["--classes", "dark,bright", "--name", "halves", "-o", str(output)]
    return ["train", *labelled, *named, *SMALL, *more]


def start(*command: str) -> subprocess.Popen[str]:
    """Run ``python -m`` with some words; what it says is in ``stderr``."""
    # As many threads as here, which decide how floating-point sums are rounded.
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def steps_done(output: Path) -> int:
    """Lines of the run's log, its header left out."""
    log = output / "run" / "log.csv"
    return max(len(log.read_text().splitlines()) - 1, 0) if log.exists() else 0
