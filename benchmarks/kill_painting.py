"""A process that paints is killed at random moments, again and again; what is lost?

``python -m benchmarks.kill_painting --kills 200``

Each round a child opens the same corrections, saves them by the app's own autosaver and
paints strokes as fast as a hand does, telling the parent of each one when it is in memory.
The parent sends SIGKILL at a random moment and has another child open the store: it looks
for every stroke that was ever told of, and compares every level with the one below.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_relay.annotation import Autosaver, CorrectionStore
from napari_relay.annotation.pyramid import pool
from napari_relay.geometry import Window
from relay_tokens import ClassSchema, UserError

SHAPE = (3000, 4000)
CELL = 8
"""Side of the square that a stroke leaves for good, pixels."""
PAUSE = 0.02
"""Seconds between two strokes."""
_RECORD = struct.Struct("<id")
_CELLS_A_ROW = SHAPE[1] // CELL


@dataclass
class Losses:
    """What all rounds together lost."""

    kills: int = 0
    """Rounds."""
    strokes: int = 0
    """Strokes that were told of."""
    lost: int = 0
    """Of them, not found on disk."""
    oldest_lost_s: float = 0.0
    """Age of the oldest lost stroke at the moment of the kill."""
    unreadable: list[str] = field(default_factory=list)
    """Errors at opening, and levels that disagree."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=4.0, help="Seconds of the longest round.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/kill-painting.json")
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = kill_again_and_again(
            Path(scratch) / "corrections", arguments.kills, arguments.longest, arguments.seed
        )
    document = json.dumps(vars(found), indent=2)
    arguments.output.write_text(document + "\n")
    print(document)


def kill_again_and_again(folder: Path, kills: int, longest: float, seed: int) -> Losses:
    """Kill a painting process ``kills`` times, after at most ``longest`` seconds of painting."""
    rng = random.Random(seed)
    _in_child(lambda _pipe: _create(folder))
    found, told = Losses(), {}
    for _ in range(kills):
        first = max(told, default=-1) + 1
        new, killed_at = _paint_until_killed(folder, first, rng.uniform(0.05, longest))
        told |= new
        found.kills += 1
        _check(folder, new, killed_at, found)
    found.strokes = len(told)
    return found


def _create(folder: Path) -> None:
    CorrectionStore.create(folder, SHAPE, ClassSchema.from_names(["a", "b", "c"]), "image")


def _paint_until_killed(folder: Path, first: int, seconds: float) -> tuple[dict[int, float], float]:
    """When each stroke was in memory, and when the kill was; the clock is the system's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            _paint(folder, first, writer)
        finally:
            os._exit(1)
    os.close(writer)
    head = os.read(reader, _RECORD.size)  # the first stroke: the clock starts
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    killed_at = time.monotonic()
    os.waitpid(child, 0)
    data = head
    while part := os.read(reader, 1 << 16):
        data += part
    os.close(reader)
    whole = len(data) // _RECORD.size * _RECORD.size
    return dict(_RECORD.iter_unpack(data[:whole])), killed_at


def _paint(folder: Path, first: int, pipe: int) -> None:
    store = CorrectionStore.open(folder)
    rng = np.random.default_rng(first)
    with Autosaver(store.flush, _raise):
        for number in range(first, _CELLS_A_ROW * (SHAPE[0] // 2 // CELL)):
            y, x = rng.integers(SHAPE[0] // 2, SHAPE[0] - 600), rng.integers(0, SHAPE[1] - 600)
            broad = Window(int(y), int(x), 600, 600)  # in several chunks; below the cells
            store.write(broad, np.full((600, 600), number % 3, np.uint8))
            store.write(_cell(number), np.full((CELL, CELL), number % 3, np.uint8))
            os.write(pipe, _RECORD.pack(number, time.monotonic()))
            time.sleep(PAUSE)


def _cell(number: int) -> Window:
    return Window(number // _CELLS_A_ROW * CELL, number % _CELLS_A_ROW * CELL, CELL, CELL)


def _check(folder: Path, told: dict[int, float], killed_at: float, found: Losses) -> None:
    said = _in_child(lambda pipe: _look(folder, sorted(told), pipe))
    answer = json.loads(said or b'{"error": "the process that looked has died"}')
    if "error" in answer:
        found.unreadable.append(answer["error"])
        return
    found.lost += len(answer["lost"])
    ages = [killed_at - told[number] for number in answer["lost"]]
    found.oldest_lost_s = round(max([found.oldest_lost_s, *ages]), 3)


def _look(folder: Path, numbers: list[int], pipe: int) -> None:
    """Say which strokes are missing."""
    try:
        store = CorrectionStore.open(folder)
        lost = [n for n in numbers if (store.read(_cell(n)) != n % 3).any()]
        levels = [level[:, :] for level in store.pyramid.levels]
        wrong = [k for k in range(1, len(levels)) if (pool(levels[k - 1]) != levels[k]).any()]
        answer: dict[str, object] = {"lost": lost}
        if wrong:
            answer = {"error": f"levels {wrong} disagree"}
        store.log.corrections()
    except UserError as error:
        answer = {"error": str(error)}
    os.write(pipe, json.dumps(answer).encode())


def _in_child(work: Callable[[int], None]) -> bytes:
    """Run something in a process of its own: zarr's threads do not survive a fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            work(writer)
        finally:
            os._exit(0)
    os.close(writer)
    data = b""
    while part := os.read(reader, 1 << 16):
        data += part
    os.close(reader)
    os.waitpid(child, 0)
    return data


def _raise(error: UserError) -> None:
    raise error


if __name__ == "__main__":
    main()
