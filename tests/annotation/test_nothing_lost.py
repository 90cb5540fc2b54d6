"""Kills, full disks and folders that cannot be written: no stroke is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.pyramid import pool
from napari_relay.geometry import Window
from relay_tokens import ClassSchema

KILL = """
import json, sys
from pathlib import Path
from benchmarks.kill_painting import kill_again_and_again
found = kill_again_and_again(Path(sys.argv[1]), kills=10, longest=2.5, seed=int(sys.argv[2]))
print(json.dumps(vars(found)))
"""


@pytest.mark.slow
def test_killed_at_any_moment_nothing_older_than_two_seconds_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILL, str(tmp_path / "store"), "3"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["kills"] == 10
    assert found["strokes"] > 50
    assert found["unreadable"] == []
    assert found["oldest_lost_s"] < 2


TROUBLE = """
import json, os, resource, sys, time
from pathlib import Path
import numpy as np
from napari_relay.annotation import Autosaver, CorrectionStore
from napari_relay.geometry import Window

folder, trouble = Path(sys.argv[1]), sys.argv[2]
told = []

def refuse():
    if trouble == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    else:
        for path in (folder, *folder.rglob("*")):
            os.chmod(path, 0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.seteuid(65534)

def allow():
    if trouble == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        os.seteuid(os.getuid())
        for path in (folder, *folder.rglob("*")):
            os.chmod(path, 0o755 if path.is_dir() else 0o644)

def wait_for(count):
    until = time.monotonic() + 30
    while len(told) < count and time.monotonic() < until:
        time.sleep(0.01)

store = CorrectionStore.open(folder)
stroke = np.ones((100, 100), np.uint8)
saver = Autosaver(store.flush, lambda e: told.append(str(e)), 0.05, lambda: told.append("again"))
with saver:
    store.write(Window(0, 0, 100, 100), stroke)
    while store.dirty:
        time.sleep(0.01)
    refuse()
    for k in range(1, 5):
        store.write(Window(600 * k, 0, 100, 100), stroke)
        store.log.add("brush", Window(600 * k, 0, 100, 100), {1: 10000}, {1: "tissue"})
    wait_for(1)
    time.sleep(0.3)
    in_memory = all((store.read(Window(600 * k, 0, 100, 100)) == 1).all() for k in range(5))
    first = list(told)
    allow()
    wait_for(2)
print(json.dumps([in_memory, first, told[1:]]))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another account can get at."""
    made = Path(tempfile.mkdtemp(prefix="relay-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.name != "posix", reason="limits and accounts of POSIX")
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_painting_goes_on_in_memory_while_the_disk_refuses_and_is_saved_afterwards(
    open_folder: Path, schema: ClassSchema, trouble: str
) -> None:
    folder = open_folder / "store"
    CorrectionStore.create(folder, (3001, 2003), schema, "slide-1")
    command = [sys.executable, "-c", TROUBLE, str(folder), trouble]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    in_memory, first, then = json.loads(done.stdout.splitlines()[-1])
    assert in_memory
    assert len(first) == 1  # told once, however often saving is tried
    assert "free some space" in first[0]
    assert then == ["again"]
    again = CorrectionStore.open(folder)
    assert again.class_counts().tolist() == [0, 5 * 100 * 100, 0]
    assert len(again.log.corrections()) == 4


def test_an_empty_chunk_file_of_a_power_cut_costs_that_chunk_and_nothing_else(
    store: CorrectionStore,
) -> None:
    for row in (0, 1024):
        store.write(Window(row, 0, 600, 300), np.full((600, 300), 1, np.uint8))
    store.flush()
    victims = [store.folder / "0" / "c" / "0" / "0", store.folder / "1" / "c" / "1" / "0"]
    for victim in victims:
        assert victim.stat().st_size
        victim.write_bytes(b"")
    again = CorrectionStore.open(store.folder)
    assert again.class_counts()[1] == (600 - 512) * 300 + 600 * 300
    for finer, coarser in zip(again.pyramid.levels, again.pyramid.levels[1:], strict=False):
        np.testing.assert_array_equal(pool(finer[:, :]), coarser[:, :])


def test_a_log_that_was_damaged_is_put_aside_and_painting_goes_on(store: CorrectionStore) -> None:
    (store.folder / "log.sqlite").write_bytes(b"not a table at all" * 100)
    again = CorrectionStore.open(store.folder)
    again.write(Window(0, 0, 2, 2), np.zeros((2, 2), np.uint8))
    again.log.add("brush", Window(0, 0, 2, 2), {0: 4}, {0: "background"})
    again.flush()
    assert len(again.log.corrections()) == 1
    assert (store.folder / "log.damaged.sqlite").exists()
