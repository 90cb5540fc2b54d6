"""A prediction that is killed goes on as if nothing had happened."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore

SIDE = 640


def start(image: Path, model: Path, store: Path) -> subprocess.Popen[str]:
    words = ["predict", image, "-m", model, "-o", store, "--batch-size", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "napari_relay.cli", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def finished(store: Path) -> int:
    if not (store / "zarr.json").exists():
        return 0
    return int(PredictionStore.open(store).finished.sum())


def killed_when_some_more_is_done(process: subprocess.Popen[str], store: Path) -> int:
    before, until = finished(store), time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None and finished(store) == before:
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.3))
    assert process.poll() is None, process.stderr.read()
    process.kill()
    process.communicate()
    return finished(store)


def everything(store: Path) -> list[np.ndarray]:
    opened = PredictionStore.open(store)
    assert opened.finished.all()
    maps = [np.asarray(array[:SIDE, :SIDE]) for array in (opened.confidence[0], opened.entropy[0])]
    seen = opened.attention_map("local", "relay_to_patch").values
    return [opened.read_labels(Window(0, 0, SIDE, SIDE)), *maps, seen]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_run_that_was_killed_again_and_again_ends_as_one_that_was_not(tiny_model, tmp_path):
    image, store, whole = tmp_path / "image.tif", tmp_path / "s.zarr", tmp_path / "whole.zarr"
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    tifffile.imwrite(image, pixels, photometric="rgb", tile=(64, 64))
    done = [killed_when_some_more_is_done(start(image, tiny_model, store), store) for _ in range(2)]
    assert 0 < done[0] <= done[1]
    last = start(image, tiny_model, store)
    _, said = last.communicate(timeout=240)
    assert last.returncode == 0, said
    _, undisturbed = start(image, tiny_model, whole).communicate(timeout=240)
    total = PredictionStore.open(whole).finished.size
    assert [predicted(said), predicted(undisturbed)] == [total - done[1], total]
    for mine, theirs in zip(everything(store), everything(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def predicted(said: str) -> int:
    return int(re.search(r"Predicted (\d+) tile", said)[1])
