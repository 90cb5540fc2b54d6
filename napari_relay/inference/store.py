"""Predictions on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.arrays import StoreArrays, create_arrays, describe_classes
from napari_relay.inference.attention import AttentionMap, Blocks, Branch, Direction
from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_maps import read_attention_map
from napari_relay.inference.chunks import room_in
from napari_relay.inference.header import STORE_ATTRIBUTE, StoreHeader, opening_store
from napari_relay.inference.levels import LevelArray, TilePyramid
from napari_relay.inference.lock import WriteLock
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.regions import TileRegion, split_grid
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.tile_states import (
    PREDICTED,
    SKIPPED,
    STATES,
    TileStates,
    create_states,
)
from relay_tokens import Checkpoint, ClassSchema, UserError


class PredictionStore:
    """An OME-Zarr group with labels, scores, attention and a map of finished tiles.

    One thread may write while others of the process read. A tile is marked
    finished only after all its arrays are on disk, so whatever ends a run, the
    next one does what is missing. Make one with :meth:`create`, :meth:`open` or
    :meth:`open_or_create`.
    """

    def __init__(self, folder: Path, group: zarr.Group, header: StoreHeader) -> None:
        self.folder = folder
        self.header = header
        self._group = group
        self._arrays = StoreArrays(group, header)
        self._states = TileStates(group)
        # zarr takes no notice of files in an array's folder
        self._lock = WriteLock(folder, folder / STATES)

    # --- opening

    @classmethod
    def create(
        cls,
        folder: str | Path,
        image: PyramidImage,
        checkpoint: Checkpoint,
        options: PredictOptions | None = None,
    ) -> PredictionStore:
        """Make an empty store, whole or not at all.

        Raises
        ------
        UserError
            When there is something in ``folder``, it cannot be written, or the
            halo does not fit the model.
        """
        folder = Path(folder)
        header = StoreHeader.of(image, checkpoint, options or PredictOptions())
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists already; choose another folder or delete it.")
        with room_in(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
            try:
                _create(scratch, header)
                scratch.replace(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> PredictionStore:
        """Open what is there.

        Raises
        ------
        UserError
            When it is no prediction store of this version.
        """
        folder = Path(folder)
        with opening_store(folder):
            group = zarr.open_group(folder, mode="r+")
            return cls(folder, group, StoreHeader.of_group(group, folder))

    @classmethod
    def open_or_create(
        cls,
        folder: str | Path,
        image: PyramidImage,
        checkpoint: Checkpoint,
        options: PredictOptions | None = None,
    ) -> PredictionStore:
        """Go on with a store, or begin one.

        Raises
        ------
        UserError
            When the store was made from another image, by other weights or
            with other settings; the sentence says which.
        """
        folder = Path(folder)
        if not (folder / "zarr.json").exists():
            return cls.create(folder, image, checkpoint, options)
        store = cls.open(folder)
        store.check(image, checkpoint, options)
        return store

    def check(
        self, image: PyramidImage, checkpoint: Checkpoint, options: PredictOptions | None = None
    ) -> None:
        """Refuse an image, a model or settings that the store was not made for.

        Raises
        ------
        UserError
            Naming the difference.
        """
        wanted = StoreHeader.of(image, checkpoint, options or PredictOptions())
        self.header.check_same(wanted, self.folder)

    # --- reading

    @property
    def grid(self) -> TileGrid:
        """The tile grid, with the true size of the image."""
        return self.header.grid

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image; the arrays may be larger (padding)."""
        return self.grid.height, self.grid.width

    @property
    def classes(self) -> ClassSchema:
        """What each label means."""
        return self.header.classes

    @property
    def labels(self) -> tuple[LevelArray, ...]:
        """Class labels ``(y, x)`` ``uint8``, full resolution first; 255: not predicted.

        Each level is exactly half as wide as the one before: level ``k`` has
        ``scale = 2**k`` and ``translate = (2**k - 1) / 2``. For that, level 0
        may be a little larger than the image. Levels up to 4096 px a side are
        numpy arrays that change in place.
        """
        return self._arrays.labels.levels

    @property
    def confidence(self) -> tuple[LevelArray, ...]:
        """Probability of the label as 1 ... 255, laid out as :attr:`labels`; 0: not predicted."""
        return self._arrays.confidence.levels

    @property
    def entropy(self) -> tuple[LevelArray, ...]:
        """Entropy of the prediction, laid out as :attr:`labels`.

        1 ... 255 for 0 ... log(number of classes); 0: not predicted.
        """
        return self._arrays.entropy.levels

    @property
    def disagreement(self) -> tuple[LevelArray, ...] | None:
        """How far local and global prediction are apart, laid out as :attr:`labels`.

        1 ... 255 for 0 ... 1; 0: not predicted. None for a model without a
        global branch.
        """
        kept = self._arrays.disagreement
        return kept.levels if kept else None

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Map of the tiles that are predicted, ``(tile rows, tile columns)``."""
        return self._states.where(PREDICTED)

    @property
    def skipped(self) -> NDArray[np.bool_]:
        """Map of the tiles that were left out as background, ``(tile rows, tile columns)``."""
        return self._states.where(SKIPPED)

    @property
    def has_attention(self) -> bool:
        """Whether the store keeps attention."""
        return self._arrays.attention is not None

    @property
    def attention(self) -> AttentionArrays:
        """What is kept of the relay tokens' attention.

        Raises
        ------
        UserError
            When the store keeps none.
        """
        if self._arrays.attention is None:
            raise UserError(
                f"{self.folder} keeps no attention; predict again with attention switched on "
                "and a model with relay tokens."
            )
        return self._arrays.attention

    @property
    def has_probabilities(self) -> bool:
        """Whether the store keeps the probability of every class."""
        return self._arrays.probabilities is not None

    @property
    def probabilities(self) -> tuple[LevelArray, ...]:
        """Probabilities ``(class, y, x)``, 0 ... 255 for 0 ... 1, with levels as :attr:`labels`.

        Raises
        ------
        UserError
            When the store keeps none.
        """
        return self._kept_probabilities().levels

    def read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Labels of a window inside the image, ``(rows, cols)``; 255: not predicted."""
        return self._arrays.labels.read(window)

    def read_probabilities(self, window: Window) -> NDArray[np.uint8]:
        """Probabilities of a window inside the image, ``(class, rows, cols)``.

        0 ... 255 for 0 ... 1; all 0 where nothing is predicted.

        Raises
        ------
        UserError
            When the store keeps none.
        """
        return self._kept_probabilities().read(window)

    def _kept_probabilities(self) -> TilePyramid:
        if self._arrays.probabilities is None:
            raise UserError(
                f"{self.folder} keeps no probabilities; predict again with probabilities "
                "switched on."
            )
        return self._arrays.probabilities

    def attention_map(
        self,
        branch: Branch,
        direction: Direction,
        block: Blocks = None,
        token: int | None = None,
        window: Window | None = None,
        max_side: int = 2048,
        head: int | None = None,
    ) -> AttentionMap:
        """Attention as one map over a window; see :func:`read_attention_map`."""
        choice = AttentionChoice(direction, block, token, head)
        return read_attention_map(self.attention, branch, choice, window, max_side)

    # --- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write. It may be taken again by the same object.

        Raises
        ------
        UserError
            When another process, or another store object, is writing.
        """
        with self._lock.held() as others_wrote:
            if others_wrote:
                self._catch_up()
            yield

    @property
    def writer(self) -> str:
        """Who has written last, or is writing: process and name, read from disk."""
        return self._lock.writer

    def _catch_up(self) -> None:
        """Read again what another writer may have changed; clear away what it left half-written."""
        for partial in self.folder.rglob("*.partial"):
            partial.unlink(missing_ok=True)
        self._arrays.reload()
        self._states.reload()

    def write(self, tiles: Iterable[PredictedTile]) -> None:
        """Write tiles and mark them finished, in this order.

        Raises
        ------
        UserError
            When the disk is full, and what was finished before stays finished;
            when another process is writing.
        """
        tiles = list(tiles)
        with self.writing(), room_in(self.folder):
            for tile in tiles:
                self._arrays.write(tile)
            self._arrays.flush()
            self._states.set([tile.position for tile in tiles], PREDICTED)

    def recolor(self, classes: ClassSchema) -> None:
        """Keep other colours of the same classes, for other programs too; need not be writing."""
        if classes == self.classes:
            return
        self.header = replace(self.header, classes=classes)
        with room_in(self.folder):
            self._group.attrs[STORE_ATTRIBUTE] = self.header.to_json()
            describe_classes(self._group, self.header)

    def mark_skipped(self, positions: Sequence[tuple[int, int]]) -> None:
        """Note tiles that are left out as background; a predicted one stays predicted.

        Raises
        ------
        UserError
            When the disk is full, or another process is writing.
        """
        with self.writing(), room_in(self.folder):
            self._states.set(positions, SKIPPED)

    def flush_coarse(self) -> None:
        """Write the coarsest levels for other programs; :meth:`open` does not need them."""
        with self.writing(), room_in(self.folder):
            self._arrays.flush_coarse()

    # --- several processes

    def regions(self, least: int = 1) -> list[TileRegion]:
        """The tile grid in parts that different processes may write at once.

        Each has at least ``least`` tiles on a side, where the grid is as large.
        """
        return split_grid(self.grid, least)

    def write_level0(self, tiles: Iterable[PredictedTile]) -> None:
        """Write the full resolution of tiles of one region, for another process.

        For a worker that alone writes this region, while the process that
        holds :meth:`writing` waits to :meth:`absorb` it.

        Raises
        ------
        UserError
            When the disk is full.
        """
        with room_in(self.folder):
            for tile in tiles:
                self._arrays.write_level0(tile)
            self._arrays.flush_level0()

    def absorb(self, region: TileRegion, predicted: Sequence[tuple[int, int]]) -> None:
        """Take over what a worker wrote: the coarser levels, then the map of tiles.

        Parameters
        ----------
        predicted
            The tiles of the region that the worker has written.

        Raises
        ------
        UserError
            When the disk is full, or another process is writing.
        """
        with self.writing(), room_in(self.folder):
            self._arrays.absorb(region.window(self.grid))
            self._states.set(predicted, PREDICTED)


def _create(folder: Path, header: StoreHeader) -> None:
    group = zarr.create_group(folder, attributes={STORE_ATTRIBUTE: header.to_json()})
    create_arrays(group, header)
    create_states(group, header.grid.shape)
