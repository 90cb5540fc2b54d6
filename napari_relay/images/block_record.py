"""Which parts of levels are built: kept on disk, so that a killed build can go on."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.damage import DamagedChunk
from napari_relay.images.levels_plan import Block, Chain

RECORD = "building.txt"
"""File in the folder of built levels, there until they are whole: a line of block
sizes, then a line for each finished block."""
END = "."
"""Last word of a line of the record that was written whole."""
DAMAGE = "damage.jsonl"
"""File in the folder of built levels that lists what of the source is damaged."""


class BlockRecord:
    """Finished blocks of a build. Thread-safe; several processes may read it.

    Parameters
    ----------
    folder
        The folder of built levels.
    chains
        What is built there; with the blocks of an older build, its record's are taken.

    Raises
    ------
    ValueError
        When the record does not fit the chains.
    """

    def __init__(self, folder: Path, chains: Sequence[Chain]) -> None:
        self.path = folder / RECORD
        self._lock = threading.Lock()
        self._damage_path = folder / DAMAGE
        self._damage = dict.fromkeys(_read_damage(self._damage_path))
        self.chains = self._with_recorded_blocks(chains)
        self._finished = [np.zeros(chain.grid, bool) for chain in self.chains]
        self.is_complete = False
        self.refresh()

    @property
    def total(self) -> int:
        """How many blocks there are."""
        return sum(finished.size for finished in self._finished)

    @property
    def done(self) -> int:
        """How many of them are finished."""
        return sum(int(finished.sum()) for finished in self._finished)

    @property
    def damage(self) -> tuple[DamagedChunk, ...]:
        """What of the source was found damaged."""
        with self._lock:
            return tuple(self._damage)

    def damaged_in(self, window: Window) -> list[Window]:
        """Level-0 windows of the damage that meet a window."""
        damage = self._damage  # replaced, never changed
        return [c.window for c in damage if c.window.intersects(window)] if damage else []

    def remaining(self) -> list[Block]:
        """Blocks to be built, in order."""
        return [
            Block(k, int(row), int(col))
            for k, finished in enumerate(self._finished)
            for row, col in np.argwhere(~finished)
        ]

    def built(
        self, chain: int, rows: NDArray[np.intp], cols: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Which rows and columns of blocks are finished, ``(rows, cols)``."""
        return self._finished[chain][np.ix_(rows, cols)]

    def finish(self, block: Block, damage: Sequence[DamagedChunk]) -> None:
        """Take down a block whose pixels are on disk, and the damage met so far."""
        with self._lock:
            self._take_down(damage)
            with self.path.open("a") as file:
                file.write(f"{block.chain} {block.row} {block.col} {END}\n")
            self._finished[block.chain][block.row, block.col] = True

    def close(self) -> None:
        """Take down that all is built."""
        self.path.unlink(missing_ok=True)
        self.is_complete = True

    def refresh(self) -> list[Block]:
        """Take in what another process has finished since, and return it."""
        before = set(self.remaining())
        if not self.path.exists():
            self.is_complete = True
            for finished in self._finished:
                finished[:] = True
            self._damage = dict.fromkeys(_read_damage(self._damage_path))
        else:
            for block in _recorded_blocks(self.path):
                self._finished[block.chain][block.row, block.col] = True
        return sorted(before - set(self.remaining()))

    def _take_down(self, damage: Sequence[DamagedChunk]) -> None:
        new = [chunk for chunk in damage if chunk not in self._damage]
        if new:
            with self._damage_path.open("a") as file:
                file.writelines(_damage_line(chunk) for chunk in new)
            self._damage = {**self._damage, **dict.fromkeys(new)}

    def _with_recorded_blocks(self, chains: Sequence[Chain]) -> tuple[Chain, ...]:
        """Chains with the block sizes that the record was begun with."""
        try:
            with self.path.open() as file:
                sizes = json.loads(file.readline())
        except FileNotFoundError:
            return tuple(chains)
        return tuple(
            replace(chain, block=(int(rows), int(cols)))
            for chain, (rows, cols) in zip(chains, sizes, strict=True)
        )


def begin_record(folder: Path, chains: Sequence[Chain]) -> None:
    """Take down that levels are to be built in a folder."""
    sizes = [chain.block for chain in chains]
    (folder / RECORD).write_text(json.dumps(sizes) + "\n")


def _recorded_blocks(path: Path) -> Iterator[Block]:
    """Finished blocks; a line that a kill or a full disk cut off is left out."""
    for line in _lines(path)[1:]:
        *numbers, end = line.split(" ")
        if end == END and len(numbers) == len(Block._fields):
            yield Block(*map(int, numbers))


def _read_damage(path: Path) -> list[DamagedChunk]:
    found = []
    for line in _lines(path):
        with contextlib.suppress(ValueError, TypeError):
            level, window, reason = json.loads(line)
            found.append(DamagedChunk(level, Window(*window), reason))
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _damage_line(chunk: DamagedChunk) -> str:
    return json.dumps([chunk.level, chunk.window, chunk.reason]) + "\n"
