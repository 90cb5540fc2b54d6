"""Predictions on disk."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import uuid4

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.attention import (
    AttentionArrays,
    AttentionMap,
    Branch,
    Direction,
    TileAttention,
    create_attention,
)
from napari_relay.inference.attention_maps import read_attention_map
from napari_relay.inference.chunks import COMPRESSOR, room_in
from napari_relay.inference.header import StoreHeader
from napari_relay.inference.levels import MaskPyramid, create_levels, open_arrays
from napari_relay.inference.options import PredictOptions
from relay_tokens import IGNORE_INDEX, Checkpoint, ClassSchema, UserError

_ATTRIBUTE = "napari_relay"


class PredictedTile(NamedTuple):
    """All that is known of one tile."""

    position: tuple[int, int]
    """Row and column in the tile grid."""
    labels: NDArray[np.uint8]
    """``(rows, cols)`` of the tile's own area; 255 where the image has no data."""
    confidence: NDArray[np.uint8]
    """``(rows, cols)``: 1 ... 255 for a probability of 0 ... 1; 0 without data."""
    attention: TileAttention | None
    """None when the store keeps none."""


class PredictionStore:
    """A zarr group with labels, confidence, attention and a map of finished tiles.

    One thread may write while others read. A tile is marked finished only
    after all its arrays are on disk, so whatever ends a run, the next one does
    what is missing. Make one with :meth:`create`, :meth:`open` or
    :meth:`open_or_create`.
    """

    def __init__(self, folder: Path, group: zarr.Group, header: StoreHeader) -> None:
        self.folder = folder
        self.header = header
        self._labels = MaskPyramid(_group(group, "labels"))
        self._confidence = MaskPyramid(_group(group, "confidence"))
        (self._finished_array,) = open_arrays(group, ["finished"])
        self._finished = np.asarray(self._finished_array[:], dtype=bool)
        layout = header.attention
        self._attention = None if layout is None else AttentionArrays(group, layout, header.grid)
        self._lock = threading.Lock()

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
                _create_arrays(scratch, header)
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
        try:
            group = zarr.open_group(folder, mode="r+")
            header = StoreHeader.from_json(_attributes(group), folder)
            return cls(folder, group, header)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder} is not a prediction that can be opened; choose another folder."
            ) from error

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
    def labels(self) -> tuple[zarr.Array[Any] | NDArray[np.uint8], ...]:
        """Class labels ``(y, x)`` ``uint8``, full resolution first; 255: not predicted.

        Each level is exactly half as wide as the one before: level ``k`` has
        ``scale = 2**k`` and ``translate = (2**k - 1) / 2``. For that, level 0
        may be a little larger than the image. Levels up to 4096 px a side are
        numpy arrays that change in place.
        """
        return self._labels.levels

    @property
    def confidence(self) -> tuple[zarr.Array[Any] | NDArray[np.uint8], ...]:
        """Probability of the label as 1 ... 255, laid out as :attr:`labels`; 0: not predicted."""
        return self._confidence.levels

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Copy of the map of finished tiles, ``(tile rows, tile columns)``."""
        with self._lock:
            return self._finished.copy()

    @property
    def has_attention(self) -> bool:
        """Whether the store keeps attention."""
        return self._attention is not None

    def read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Labels of a window inside the image, ``(rows, cols)``; 255: not predicted."""
        return self._labels.read(window)

    def write(self, tiles: Iterable[PredictedTile]) -> None:
        """Write tiles and mark them finished, in this order.

        Raises
        ------
        UserError
            When the disk is full; what was finished before stays finished.
        """
        tiles = list(tiles)
        with room_in(self.folder):
            for tile in tiles:
                self._put(tile)
            for part in (self._labels, self._confidence, self._attention):
                if part is not None:
                    part.flush()
            self._mark([tile.position for tile in tiles])

    def _put(self, tile: PredictedTile) -> None:
        area = self.grid.tile(*tile.position)
        self._labels.write(area, tile.labels)
        self._confidence.write(area, tile.confidence)
        if self._attention is not None and tile.attention is not None:
            self._attention.write(tile.position, tile.attention)

    def _mark(self, indices: list[tuple[int, int]]) -> None:
        marked = self.finished
        for index in indices:
            marked[index] = True
        for rows in {i // _FINISHED_ROWS for i, _ in indices}:
            part = slice(rows * _FINISHED_ROWS, (rows + 1) * _FINISHED_ROWS)
            self._finished_array[part] = marked[part]
        with self._lock:
            self._finished[:] = marked

    def flush_coarse(self) -> None:
        """Write the coarsest levels for other programs; :meth:`open` does not need them."""
        with room_in(self.folder):
            self._labels.flush_coarse()
            self._confidence.flush_coarse()

    def attention_map(
        self,
        branch: Branch,
        direction: Direction,
        block: int | None = None,
        token: int | None = None,
        window: Window | None = None,
        max_side: int = 2048,
    ) -> AttentionMap:
        """Attention as one map over a window; see :func:`read_attention_map`.

        Raises
        ------
        UserError
            When the store keeps no attention.
        """
        if self._attention is None:
            raise UserError(
                f"{self.folder} keeps no attention; predict again with attention switched on "
                "and a model with relay tokens."
            )
        return read_attention_map(
            self._attention, branch, direction, block, token, window, max_side
        )


_FINISHED_ROWS = 64


def _create_arrays(folder: Path, header: StoreHeader) -> None:
    group = zarr.create_group(folder, attributes={_ATTRIBUTE: header.to_json()})
    shape = header.grid.height, header.grid.width
    create_levels(group, "labels", shape, IGNORE_INDEX)
    create_levels(group, "confidence", shape, 0)
    rows, cols = header.grid.shape
    chunks = min(_FINISHED_ROWS, rows), cols
    group.create_array(
        "finished", shape=(rows, cols), chunks=chunks, dtype=bool, compressors=COMPRESSOR
    )
    if header.attention is not None:
        create_attention(group, header.attention, header.grid)


def _group(group: zarr.Group, name: str) -> zarr.Group:
    found = group[name]
    if not isinstance(found, zarr.Group):
        raise TypeError(f"{name} is not a group")
    return found


def _attributes(group: zarr.Group) -> dict[str, Any]:
    return cast("dict[str, Any]", group.attrs.asdict().get(_ATTRIBUTE, {}))
