"""What a run does when memory, disk or numbers give out, and with more than one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import open_image
from napari_relay.inference import PredictionStore, PredictOptions, WithReport, predict
from relay_tokens import UserError

from .samples import make_image, noise, tiny_relay

KINDS = ("channel", "space", "space")
ROOT = Path(__file__).parents[2]
CPU = PredictOptions(device="cpu", batch_size=3, attention=False)

START = """
import resource, sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, PredictOptions, WithReport, predict
from relay_tokens import UserError
from tests.inference.samples import make_image, noise, tiny_relay
folder = Path({folder!r})
"""


def in_own_process(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    start = START.format(root=str(ROOT), folder=str(folder))
    environment = os.environ | {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", start + code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


MEMORY = """
image, checkpoint = make_image(noise(500, 500)), tiny_relay(classes=40)
options = PredictOptions(device="cpu", attention=False, batch_size=64)
store = PredictionStore.create(folder / "s", image, checkpoint, options)
small = PredictOptions(device="cpu", attention=False, batch_size=2)
list(predict(checkpoint, image, store, [Window(0, 0, 9, 9)], small))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 220 * 2**20,) * 2)
run = WithReport(predict(checkpoint, image, store, options=options))
said = [notice for result in run for notice in result.notices]
assert store.finished.all()
assert said == list(run.report.notices)
print("\\n".join(said))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_when_memory_runs_out_the_batch_is_halved_and_the_person_told(tmp_path: Path) -> None:
    done = in_own_process(MEMORY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Memory ran out on cpu; going on with batches of 32." in done.stdout
    image, checkpoint = make_image(noise(500, 500)), tiny_relay(classes=40)
    store = PredictionStore.open(tmp_path / "s")
    other = PredictionStore.create(tmp_path / "other", image, checkpoint, CPU)
    window = Window(100, 100, 90, 90)
    list(predict(checkpoint, image, other, [window], CPU))
    np.testing.assert_array_equal(store.read_labels(window), other.read_labels(window))


DISK = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image, checkpoint = make_image(noise(450, 450)), tiny_relay()
options = PredictOptions(device="cpu", attention=False)
store = PredictionStore.open_or_create(folder / "s", image, checkpoint, options)
results = predict(checkpoint, image, store, options=options)
next(results)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    list(results)
except UserError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits files as Linux does")
def test_a_full_disk_stops_the_run_with_a_sentence_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    done = in_own_process(DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"There is no room left to write {tmp_path / 's'}" in done.stdout
    store = PredictionStore.open(tmp_path / "s")
    some = int(store.finished.sum())
    assert 0 < some < store.finished.size
    image, checkpoint = make_image(noise(450, 450)), tiny_relay()
    run = WithReport(predict(checkpoint, image, store, options=CPU))
    list(run)
    assert store.finished.all()
    assert run.report.predicted == store.finished.size - some
    whole = PredictionStore.create(tmp_path / "whole", image, checkpoint, CPU)
    list(predict(checkpoint, image, whole, options=CPU))
    window = Window(0, 0, 450, 450)
    np.testing.assert_array_equal(store.read_labels(window), whole.read_labels(window))


WRITER = """
image, checkpoint = make_image(noise(200, 200)), tiny_relay()
options = PredictOptions(device="cpu", attention=False)
store = PredictionStore.open(folder / "s")
results = predict(checkpoint, image, store, options=options)
next(results)
print("writing", flush=True)
sys.stdin.readline()
results.close()
"""


def test_the_second_process_on_a_store_is_told_and_may_go_on_after_the_first(
    tmp_path: Path,
) -> None:
    image, checkpoint = make_image(noise(200, 200)), tiny_relay()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    start = START.format(root=str(ROOT), folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", start + WRITER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout.readline() == "writing\n"
        with pytest.raises(UserError, match=rf"being written.*{first.pid}"):
            next(predict(checkpoint, image, store, options=CPU))
        first.communicate("\n", timeout=60)
    assert first.returncode == 0
    store = PredictionStore.open(tmp_path / "s")
    list(predict(checkpoint, image, store, options=CPU))
    assert store.finished.all()


def ome_zarr(path: Path, pixels: NDArray[np.uint8]) -> None:
    group = zarr.create_group(path)
    axes = [{"name": name, "type": kind} for name, kind in zip("cyx", KINDS, strict=True)]
    datasets = []
    for factor in (1, 2, 4):
        level = np.ascontiguousarray(pixels[::factor, ::factor].transpose(2, 0, 1))
        group.create_array(str(factor), data=level, chunks=(3, 64, 64))
        scale = [{"type": "scale", "scale": [1, factor, factor]}]
        datasets.append({"path": str(factor), "coordinateTransformations": scale})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def test_an_image_that_vanishes_is_named_and_what_is_done_stays(tmp_path: Path) -> None:
    path, checkpoint = tmp_path / "image.zarr", tiny_relay()
    ome_zarr(path, noise(1200, 500))
    image = open_image(path)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    results = predict(checkpoint, image, store, options=CPU)
    next(results)
    path.rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(UserError, match=r"image\.zarr vanished"):
        list(results)
    some = int(store.finished.sum())
    assert 0 < some < store.finished.size
    (tmp_path / "elsewhere.zarr").rename(path)
    assert int(PredictionStore.open(tmp_path / "s").finished.sum()) == some
    rest = WithReport(predict(checkpoint, image, store, options=CPU))
    list(rest)
    assert rest.report.predicted == store.finished.size - some
    assert rest.report.damaged_chunks == 0


def test_pixels_that_are_no_numbers_have_no_class_and_do_not_spread(tmp_path: Path) -> None:
    pixels = noise(150, 150).astype(np.float32)
    pixels[40:60, 50:70] = np.nan
    pixels[100, 3] = (np.inf, 1, 2)
    pixels[101, 3] = (5, -np.inf, 2)
    image, checkpoint = make_image(pixels, 1), tiny_relay()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    list(predict(checkpoint, image, store, options=CPU))
    expected = np.isfinite(pixels).all(axis=2)
    np.testing.assert_array_equal(store.read_labels(Window(0, 0, 150, 150)) != 255, expected)
    np.testing.assert_array_equal(np.asarray(store.confidence[0][:150, :150]) > 0, expected)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_runs_and_hardly_changes_the_labels(tmp_path: Path, precision: str) -> None:
    image, checkpoint = make_image(noise(150, 150)), tiny_relay()
    half = PredictOptions(device="cpu", precision=precision)
    full = PredictOptions(device="cpu")
    labels = []
    for name, options in (("half", half), ("full", full)):
        store = PredictionStore.create(tmp_path / name, image, checkpoint, options)
        list(predict(checkpoint, image, store, options=options))
        labels.append(store.read_labels(Window(0, 0, 150, 150)))
    assert (labels[0] == labels[1]).mean() > 0.97


def test_numbers_that_overflow_in_float16_are_told_and_not_written(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(150, 150)), tiny_relay()
    for weight in checkpoint.model.head.parameters():
        weight.data.mul_(1e6)
    options = PredictOptions(device="cpu", precision="float16", attention=False)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    with pytest.raises(UserError, match="overflow in float16"):
        list(predict(checkpoint, image, store, options=options))
    assert not store.finished.any()
