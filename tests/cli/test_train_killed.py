"""A training that is killed, again and again, ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.small_training import start, steps_done, words, write_data

CLI = "napari_relay.cli"
STEPS = "36"


def wait_for_steps(process: subprocess.Popen[str], output: Path, more: int) -> None:
    wanted, until = steps_done(output) + more, time.monotonic() + 240
    while steps_done(output) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    assert process.poll() is None, process.stderr.read()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_killed_and_an_interrupted_training_end_with_the_same_bytes(
    run: Run, tmp_path: Path
) -> None:
    write_data(tmp_path)
    outputs = [tmp_path / name for name in ("whole", "killed")]
    whole, killed = (words(tmp_path, output, "--steps", STEPS) for output in outputs)
    for _ in range(2):
        process = start(CLI, *killed)
        wait_for_steps(process, outputs[1], random.randint(1, 8))
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.communicate()
    # Ctrl-C loses no step, however few were done since the last checkpoint.
    process = start(CLI, *killed)
    wait_for_steps(process, outputs[1], 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    assert "Stopped; what was learnt is kept" in said
    assert "Traceback" not in said
    done = steps_done(outputs[1])
    last = start(CLI, *killed)
    _, said = last.communicate(timeout=240)
    assert last.returncode == 0, said
    assert 0 < done < int(STEPS) == steps_done(outputs[1])
    assert run(*whole).exit_code == 0
    for name in ("model.safetensors", "run/best/model.safetensors"):
        assert (outputs[0] / name).read_bytes() == (outputs[1] / name).read_bytes()
