"""``napari-relay predict`` writes what the model says, and can be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_relay.inference import PredictionStore


def test_the_mask_has_the_image_s_size_and_the_model_s_classes(run, photo, tiny_model, tmp_path):
    mask = tmp_path / "mask.tif"
    result = run("predict", photo, "-m", tiny_model, "-o", mask)
    assert result.exit_code == 0, result.output
    labels = tifffile.imread(mask)
    assert labels.shape == tifffile.imread(photo).shape[:2]
    assert set(np.unique(labels)) <= {0, 1}


def test_only_the_mask_stays_and_the_command_says_where(run, photo, tiny_model, tmp_path):
    before = {p.name for p in tmp_path.iterdir()}
    result = run("predict", photo, "-m", tiny_model, "-o", tmp_path / "mask.tif")
    left = {p.name for p in tmp_path.iterdir()} - before - {"home"}
    assert left == {"mask.tif", "mask.tif.aux.xml"}
    assert "mask.tif" in result.stdout


def test_the_store_stays_when_asked_for(run, photo, tiny_model, tmp_path):
    run("predict", photo, "-m", tiny_model, "-o", tmp_path / "mask.tif", "--keep-store")
    store = PredictionStore.open(tmp_path / "mask.tif.prediction.zarr")
    assert store.finished.all()
    assert store.has_attention


@pytest.mark.parametrize("recorded", [True, False])
def test_a_store_is_an_output_of_its_own(run, photo, tiny_model, tmp_path, recorded):
    words = [] if recorded else ["--no-attention"]
    result = run("predict", photo, "-m", tiny_model, "-o", tmp_path / "store.zarr", *words)
    assert result.exit_code == 0, result.output
    assert PredictionStore.open(tmp_path / "store.zarr").has_attention == recorded


def test_the_mask_is_what_the_store_holds(run, photo, tiny_model, tmp_path):
    run("predict", photo, "-m", tiny_model, "-o", tmp_path / "mask.tif", "--keep-store")
    finest = zarr.open_array(tmp_path / "mask.tif.prediction.zarr/labels/classes/0", mode="r")
    mask = tifffile.imread(tmp_path / "mask.tif")
    np.testing.assert_array_equal(finest[: mask.shape[0], : mask.shape[1]], mask)


def test_a_window_leaves_the_rest_without_a_class(run, photo, tiny_model, tmp_path):
    run("predict", photo, "-m", tiny_model, "-o", tmp_path / "mask.tif", "--window", "0,0,10,10")
    labels = tifffile.imread(tmp_path / "mask.tif")
    assert (labels[:10, :10] < 2).all()
    assert labels[-1, -1] == 255


def test_a_second_run_does_only_what_is_missing(run, photo, tiny_model, tmp_path):
    parts, whole = tmp_path / "parts.zarr", tmp_path / "whole.zarr"
    run("predict", photo, "-m", tiny_model, "-o", parts, "--window", "0,0,10,10")
    first = PredictionStore.open(parts).finished
    result = run("predict", photo, "-m", tiny_model, "-o", parts)
    assert f"{first.sum()} of {first.size} tiles were done before" in result.stderr
    run("predict", photo, "-m", tiny_model, "-o", whole)
    labels = [np.asarray(PredictionStore.open(folder).labels[0][:]) for folder in (parts, whole)]
    np.testing.assert_array_equal(*labels)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends Ctrl-C as POSIX does")
def test_ctrl_c_keeps_the_finished_tiles_and_says_so(tiny_model, tmp_path):
    image, mask = tmp_path / "large.tif", tmp_path / "mask.tif"
    tifffile.imwrite(image, np.zeros((3000, 3000, 3), np.uint8), photometric="rgb", tile=(64, 64))
    words = ["predict", image, "-m", tiny_model, "-o", mask, "--batch-size", "1"]
    store = tmp_path / "mask.tif.prediction.zarr"
    with subprocess.Popen(
        [sys.executable, "-m", "napari_relay.cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        # A shell has it ignored in what runs in the background, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_for_a_finished_tile(process, store)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "run the same command again to go on" in said
    assert not mask.exists()
    assert (
        0 < PredictionStore.open(store).finished.sum() < PredictionStore.open(store).finished.size
    )


def wait_for_a_finished_tile(process: subprocess.Popen[str], store: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if (store / "zarr.json").exists() and PredictionStore.open(store).finished.any():
            return
        time.sleep(0.1)
    process.kill()
    pytest.fail("no tile was finished")
