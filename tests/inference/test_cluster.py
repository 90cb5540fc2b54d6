"""Prediction on a real cluster of processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from distributed import Client

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.inference import PredictionStore, PredictOptions, WithReport, predict
from napari_relay.inference import cluster as cluster_module
from napari_relay.inference.cluster import predict_on_cluster
from relay_tokens import Checkpoint, UserError

from .samples import make_metadata, noise, tiny_relay

OPTIONS = PredictOptions(device="cpu", probabilities=True)
ROWS, COLS = 130, 7000
"""Four regions of tiles side by side."""


LOCAL_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    how = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(n_workers=int(sys.argv[1]), **how) as made:
        print(made.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def local_cluster(folder: Path, workers: int) -> Iterator[str]:
    """Address of a cluster of processes, kept apart from this one with its threads and sockets."""
    program = folder / "local_cluster.py"
    program.write_text(LOCAL_CLUSTER)
    command = [sys.executable, str(program), str(workers)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    home = {**os.environ, "NAPARI_RELAY_HOME": str(folder / "home")}
    with subprocess.Popen(command, cwd=folder, env=home, text=True, **pipes) as process:
        yield process.stdout.readline().strip()
        process.communicate()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), 2) as address:
        yield address


@pytest.fixture
def image(tmp_path: Path) -> PyramidImage:
    pixels = noise(ROWS, COLS)
    pixels[:, 3000:3600] = 0
    path = tmp_path / "wide.tif"
    tifffile.imwrite(
        path, pixels, photometric="rgb", tile=(128, 128), extratags=[(42113, "s", 2, "0", True)]
    )
    return open_image(path)


@pytest.fixture
def checkpoint() -> Checkpoint:
    made = tiny_relay()
    bands = ("red", "green", "blue")
    metadata = make_metadata(3, 3, mean=(128.0,) * 3, std=(60.0,) * 3)
    return Checkpoint(made.model, replace(metadata, bands=bands))


@pytest.fixture
def store(tmp_path: Path, image: PyramidImage, checkpoint: Checkpoint) -> PredictionStore:
    return PredictionStore.create(tmp_path / "store", image, checkpoint, OPTIONS)


@pytest.fixture
def alone(tmp_path: Path, image: PyramidImage, checkpoint: Checkpoint) -> PredictionStore:
    """What this process makes by itself."""
    made = PredictionStore.create(tmp_path / "alone", image, checkpoint, OPTIONS)
    for _ in predict(checkpoint, image, made, options=OPTIONS):
        pass
    return made


def assert_same(one: PredictionStore, other: PredictionStore) -> None:
    one, other = PredictionStore.open(one.folder), PredictionStore.open(other.folder)
    for name in ("labels", "confidence", "entropy", "disagreement"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(np.asarray(mine[:]), np.asarray(theirs[:]))
    whole = Window(0, 0, ROWS, COLS)
    np.testing.assert_array_equal(one.read_probabilities(whole), other.read_probabilities(whole))
    for branch in ("local", "global"):
        mine, theirs = (s.attention_map(branch, "relay_to_patch").values for s in (one, other))
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(one.finished, other.finished)
    np.testing.assert_array_equal(one.skipped, other.skipped)


def test_a_cluster_makes_the_same_bits_as_one_process(
    workers: str,
    image: PyramidImage,
    checkpoint: Checkpoint,
    store: PredictionStore,
    alone: PredictionStore,
) -> None:
    run = WithReport(predict_on_cluster(workers, checkpoint, image, store, options=OPTIONS))
    results = list(run)
    assert len(results) > 2
    assert results[-1].done == results[-1].total == store.finished.size
    assert alone.skipped.any()
    assert run.report is not None
    assert run.report.predicted == alone.finished.sum()
    assert run.report.seam_score == pytest.approx(1, abs=0.3)
    assert_same(store, alone)


def test_a_killed_worker_costs_nothing_but_time(
    workers: str,
    image: PyramidImage,
    checkpoint: Checkpoint,
    store: PredictionStore,
    alone: PredictionStore,
) -> None:
    results = predict_on_cluster(workers, checkpoint, image, store, options=OPTIONS)
    next(results)
    with Client(workers) as client:
        pids = list(client.run(os.getpid).values())
    os.kill(pids[0], signal.SIGKILL)
    for _ in results:
        pass
    assert_same(store, alone)


def test_what_a_stopped_run_has_done_is_kept_and_the_rest_can_be_done_alone(
    workers: str,
    image: PyramidImage,
    checkpoint: Checkpoint,
    store: PredictionStore,
    alone: PredictionStore,
) -> None:
    results = predict_on_cluster(workers, checkpoint, image, store, options=OPTIONS)
    next(results)
    with pytest.raises(UserError, match="is being written by another process"):
        next(predict(checkpoint, image, PredictionStore.open(store.folder), options=OPTIONS))
    results.close()
    done = int(store.finished.sum())
    assert 0 < done < store.finished.size
    rest = WithReport(predict(checkpoint, image, store, options=OPTIONS))
    assert list(rest)
    assert rest.report is not None
    assert rest.report.predicted == alone.finished.sum() - done
    assert_same(store, alone)


def test_a_worker_that_finds_another_image_is_told_of_in_one_sentence(
    workers: str, image: PyramidImage, checkpoint: Checkpoint, store: PredictionStore
) -> None:
    path = image.source
    tifffile.imwrite(path, noise(ROWS, COLS, seed=1), photometric="rgb", tile=(128, 128))
    results = predict_on_cluster(workers, checkpoint, image, store, options=OPTIONS)
    with pytest.raises(UserError, match="another image"):
        list(results)
    assert not store.finished.any()


def test_no_scheduler_and_no_workers_are_told_of_in_one_sentence(
    image: PyramidImage,
    checkpoint: Checkpoint,
    store: PredictionStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match="There is no cluster at tcp"):
        next(predict_on_cluster("tcp://127.0.0.1:1", checkpoint, image, store, options=OPTIONS))
    with local_cluster(tmp_path, 0) as empty, pytest.raises(UserError, match="has no workers"):
        next(predict_on_cluster(empty, checkpoint, image, store, options=OPTIONS))
