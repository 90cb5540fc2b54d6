"""Several processes that train together learn what one does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from napari_relay.cli import cli
from napari_relay.geometry import Window
from napari_relay.training import ExampleReaders
from napari_relay.training.examples import Example, ExampleReader
from napari_relay.training.objective import Objective, has_unused_parameters
from napari_relay.training.processes import Processes
from napari_relay.training.sampling import CropSampler
from relay_tokens import UserError
from tests.cli.small_training import start, steps_done, words, write_data
from tests.training import tiny_run
from tests.training.scenes import METADATA
from tests.training.tiny_run import OPTIONS, images, rows, small_model

CLI = "napari_relay.cli"


def test_a_share_of_a_batch_is_that_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(OPTIONS, scale_jitter=2)
    sampler = CropSampler(ExampleReaders(images(), small_model().config, METADATA), options)
    whole = sampler.batch(3, 6)
    seen: list[Window] = []
    read = ExampleReader.read

    def counted(reader: ExampleReader, window: Window) -> Example:
        seen.append(window)
        return read(reader, window)

    monkeypatch.setattr(ExampleReader, "read", counted)
    shares = [sampler.batch(3, 6, Processes(rank, 3, 3).share(6)) for rank in range(3)]
    assert len(seen) == 6
    for name in ("local", "global_", "labels"):
        joined = torch.cat([getattr(share, name) for share in shares])
        assert torch.equal(joined, getattr(whole, name))


def test_processes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r"batch of 4.* 3 processes"):
        Processes(0, 3, 3).check(OPTIONS)
    with pytest.raises(UserError, match="--devices 2"):
        Processes().check(replace(OPTIONS, devices=2))
    with pytest.raises(UserError, match="each of 2 devices"):
        replace(OPTIONS, accumulate=4, devices=2)
    Processes(3, 4, 2).check(replace(OPTIONS, devices=2))


def test_two_processes_cannot_share_one_named_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    with pytest.raises(UserError, match="name none by its number"):
        next(tiny_run.start(Path("unused"), replace(OPTIONS, device="cpu:0")))


def test_parameters_without_a_gradient_are_noticed() -> None:
    model = small_model()
    assert not has_unused_parameters(Objective(model, OPTIONS))
    assert all(parameter.grad is None for parameter in model.parameters())
    model.register_parameter("idle", torch.nn.Parameter(torch.zeros(1)))
    assert has_unused_parameters(Objective(model, OPTIONS))


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_until_steps(process: subprocess.Popen[str], output: Path, wanted: int) -> None:
    until = time.monotonic() + 240
    while steps_done(output) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_two_processes_one_of_which_was_killed_learn_what_one_process_does(tmp_path: Path) -> None:
    write_data(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    settings = ["--steps", "24", "--learning-rate", "1e-4"]
    together = start(CLI, *words(tmp_path, two, *settings, "--devices", "2"))
    wait_until_steps(together, two, 2)
    workers = children(together)
    assert len(workers) == 2
    workers[1].send_signal(signal.SIGKILL)
    _, said = together.communicate(timeout=240)
    assert together.returncode == 1
    assert "Traceback" not in said
    assert said.count("run the same command again") == 1
    assert not any(worker.is_running() for worker in workers)
    # torchrun joins in where the other way of starting them left off.
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", CLI]
    again = start(*torchrun, *words(tmp_path, two, *settings))
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert CliRunner().invoke(cli, words(tmp_path, one, *settings)).exit_code == 0
    for column in ("loss_total", "loss_local", "loss_global", "loss_consistency"):
        curves = [[float(row[column]) for row in rows(o / "run/log.csv")] for o in (one, two)]
        assert len(curves[0]) == 24
        np.testing.assert_allclose(*curves, rtol=2e-3, atol=2e-4)
    mine, theirs = (load_file(output / "model.safetensors") for output in (one, two))
    for name, value in mine.items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=2e-4)
