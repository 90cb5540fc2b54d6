"""What a person painted over an image, kept in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.annotation.chunk_cache import UNFINISHED, ChunkCache, LabelArray
from napari_relay.annotation.correction_log import CorrectionLog
from napari_relay.annotation.pyramid import EditablePyramid, level_shapes
from napari_relay.geometry import Window
from napari_relay.training.correction_values import MAX_CLASSES, allowed_values
from relay_tokens.errors import UserError
from relay_tokens.schema import IGNORE_INDEX, ClassSchema, SegmentationClass

FORMAT = 2
"""Version of the layout on disk; 1 had no values but class ids and 255."""

CHUNK = 512
"""Side of a chunk in pixels: what one stroke rewrites."""

_ATTRIBUTE = "napari_relay_corrections"


@dataclass(frozen=True)
class CorrectionHeader:
    """What a folder of corrections says about itself."""

    shape: tuple[int, int]
    """Rows and columns of the image."""
    schema: ClassSchema
    """The classes that the labels name."""
    image_stamp: str
    """Which image the corrections belong to (its fingerprint)."""

    def as_attributes(self) -> dict[str, Any]:
        """What goes into the group's attributes, as JSON takes it."""
        classes = [{"name": c.name, "color": c.color} for c in self.schema]
        return {
            "format": FORMAT,
            "shape": list(self.shape),
            "classes": classes,
            "image_stamp": self.image_stamp,
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> CorrectionHeader:
        """The inverse of :meth:`as_attributes`; ``ValueError`` for a later format."""
        if not 1 <= attributes["format"] <= FORMAT:
            raise ValueError(f"format {attributes['format']} instead of {FORMAT}")
        height, width = (int(n) for n in attributes["shape"])
        classes = tuple(SegmentationClass(c["name"], c["color"]) for c in attributes["classes"])
        return cls((height, width), ClassSchema(classes), str(attributes["image_stamp"]))


class CorrectionStore:
    """What was painted over an image: values of ``correction_values``, 255 where nobody has.

    A zarr group whose arrays ``0 ... K`` are the levels of a pyramid, each
    ``(row, col)`` uint8. Only chunks with corrections take space. What is
    painted is in memory at once and on disk after :meth:`flush`; a process
    killed at any moment leaves a folder that opens.

    Use :meth:`create`, :meth:`open` or :meth:`open_or_create`. A
    :class:`~napari_relay.training.LabelSource`.
    """

    def __init__(self, folder: Path, header: CorrectionHeader, pyramid: EditablePyramid) -> None:
        self.folder = folder
        self.header = header
        self.pyramid = pyramid
        self.log = CorrectionLog(folder)
        self.read_only = False
        """Whether it was opened to be looked at; :meth:`write` refuses then."""

    @classmethod
    def create(
        cls, folder: str | Path, shape: tuple[int, int], schema: ClassSchema, image_stamp: str
    ) -> CorrectionStore:
        """Begin corrections of an image of ``shape`` ``(rows, cols)`` in a new folder.

        Raises
        ------
        UserError
            The folder exists or cannot be written, or there are too many classes.
        """
        folder = Path(folder)
        if folder.exists():
            raise UserError(f"{folder} exists already; choose another folder for the corrections.")
        _check_classes(schema)
        header = CorrectionHeader(shape, schema, image_stamp)
        partial = folder.with_name(f"{folder.name}.partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            _write_group(partial, header)
            partial.rename(folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise UserError(
                f"No corrections can be kept in {folder} ({error.strerror or error});"
                " choose a folder that can be written."
            ) from error
        return cls.open(folder)

    @classmethod
    def open(
        cls, folder: str | Path, image_stamp: str | None = None, *, read_only: bool = False
    ) -> CorrectionStore:
        """Open corrections; those of a killed process too.

        Parameters
        ----------
        folder
            What :meth:`create` made.
        image_stamp
            The image they must belong to; None: any.
        read_only
            Whether another process may be writing them: nothing on disk is mended, and
            coarse levels may be a moment behind.

        Raises
        ------
        UserError
            The folder holds no corrections, or those of another image.
        """
        folder = Path(folder)
        try:
            group = zarr.open_group(folder, mode="r" if read_only else "r+")
            header = CorrectionHeader.from_attributes(_mapping(group.attrs[_ATTRIBUTE]))
            if image_stamp is not None:
                _check_stamp(folder, header, image_stamp)
            _check_classes(header.schema)
            _migrate(group, header)
            store = cls(folder, header, _open_pyramid(folder, group, header, not read_only))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder} does not hold corrections that this version can read ({error});"
                " move it away to begin anew."
            ) from error
        store.read_only = read_only
        return store

    @classmethod
    def open_or_create(
        cls, folder: str | Path, shape: tuple[int, int], schema: ClassSchema, image_stamp: str
    ) -> CorrectionStore:
        """Open the corrections in ``folder``, or begin them if there is no such folder.

        Raises
        ------
        UserError
            As :meth:`create` and :meth:`open`; also when the corrections are of
            another size or use other classes. Colours may differ.
        """
        folder = Path(folder)
        if not folder.exists():
            return cls.create(folder, shape, schema, image_stamp)
        store = cls.open(folder, image_stamp)
        if store.shape != shape:
            raise UserError(
                f"The corrections in {folder} are for {store.shape[0]} × {store.shape[1]} pixels,"
                f" the image has {shape[0]} × {shape[1]}; choose another folder."
            )
        if store.schema.names != schema.names:
            raise UserError(
                f"The corrections in {folder} are for the classes {', '.join(store.schema.names)},"
                f" not {', '.join(schema.names)}; choose another folder."
            )
        return store

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.header.shape

    @property
    def schema(self) -> ClassSchema:
        """The classes that the labels name."""
        return self.header.schema

    @property
    def image_stamp(self) -> str:
        """Which image the corrections belong to."""
        return self.header.image_stamp

    @property
    def dirty(self) -> bool:
        """Whether something painted is not on disk yet."""
        return self.pyramid.dirty or self.log.dirty

    @property
    def is_empty(self) -> bool:
        """Whether nothing is corrected."""
        return not self._corrected_coarsely().any()

    def read(self, window: Window) -> LabelArray:
        """Values ``(height, width)`` of any window; 255 where not corrected or outside."""
        return self.pyramid.read(window)

    def write(self, window: Window, labels: LabelArray) -> None:
        """Correct a window with values ``(height, width)``; 255 takes corrections away.

        Values are class ids, ``NOT_CLASS`` + class id and ``IGNORED`` of
        ``correction_values``. What lies outside the image is dropped.

        Raises
        ------
        UserError
            When it was opened to be looked at.
        """
        if self.read_only:
            raise UserError(f"{self.folder} was opened to be looked at; nothing is painted there.")
        if labels.shape != (window.height, window.width) or labels.dtype != np.uint8:
            raise ValueError(f"{labels.shape} {labels.dtype} are no labels for {window}")
        unknown = ~allowed_values(self.schema)[labels]
        if unknown.any():
            raise ValueError(f"label {labels[unknown][0]} of {len(self.schema)} classes")
        self.pyramid.write(window, labels)

    def flush(self) -> int:
        """Put what was painted on disk and count the chunks written.

        Raises
        ------
        UserError
            The disk is full or read-only; nothing painted is lost, see
            :meth:`ChunkCache.flush`.
        """
        count = self.pyramid.flush()
        self.log.flush()
        return count

    def corrected_windows(self, size: int) -> list[Window]:
        """Blocks of ``size`` × ``size`` level-0 pixels that hold a correction.

        Blocks begin at multiples of ``size``, in row-major order; those at the
        edge may reach beyond the image. Reads the coarsest level, and level 0
        only where that leaves a doubt.
        """
        factor = self.pyramid.factors[-1]
        blocks: set[tuple[int, int]] = set()
        for row, col in np.argwhere(self._corrected_coarsely()) * factor:
            rows = range(row // size, (row + factor - 1) // size + 1)
            cols = range(col // size, (col + factor - 1) // size + 1)
            blocks.update((i, j) for i in rows for j in cols)
        windows = (Window(int(i) * size, int(j) * size, size, size) for i, j in sorted(blocks))
        if size % factor == 0:  # every coarse pixel lies in one block
            return list(windows)
        return [w for w in windows if (self.read(w) != IGNORE_INDEX).any()]

    def value_counts(self) -> NDArray[np.int64]:
        """Level-0 pixels of each value, ``(256,)``; 255, which is not painted, counts 0.

        Reads every chunk with corrections once.
        """
        counts = np.zeros(IGNORE_INDEX + 1, np.int64)
        for area in self.pyramid.corrected_areas():
            counts += np.bincount(self.read(area).ravel(), minlength=len(counts))
        counts[IGNORE_INDEX] = 0
        return counts

    def class_counts(self) -> NDArray[np.int64]:
        """Level-0 pixels of each class, ``(class,)``; see :meth:`value_counts`."""
        return self.value_counts()[: len(self.schema)]

    def _corrected_coarsely(self) -> NDArray[np.bool_]:
        """Coarsest level: where any level-0 pixel is corrected."""
        corrected: NDArray[np.bool_] = self.pyramid[-1][:, :] != IGNORE_INDEX
        return corrected


def _write_group(folder: Path, header: CorrectionHeader) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.create_group(folder, attributes={_ATTRIBUTE: header.as_attributes()})
    for level, shape in enumerate(level_shapes(*header.shape)):
        group.create_array(
            str(level), shape=shape, chunks=(CHUNK, CHUNK), dtype="uint8", fill_value=IGNORE_INDEX
        )


def _open_pyramid(
    folder: Path, group: zarr.Group, header: CorrectionHeader, mend: bool
) -> EditablePyramid:
    """Open the levels, and compute the coarser ones again after a crash if they may be mended."""
    count = len(level_shapes(*header.shape))
    broken = mend and (_remove_empty(folder, count) or (folder / UNFINISHED).exists())
    for level in range(1, count if broken else 1):
        shutil.rmtree(folder / str(level) / "c", ignore_errors=True)
    arrays = [group[str(level)] for level in range(count)]
    cache = ChunkCache(folder, [a for a in arrays if isinstance(a, zarr.Array)])
    pyramid = EditablePyramid(cache, *header.shape)
    if broken:
        _remove_leftovers(folder)
        pyramid.rebuild()
        pyramid.flush()
    return pyramid


def _remove_empty(folder: Path, levels: int) -> bool:
    """Delete the empty chunks that a power cut has left, and tell whether there were any."""
    empty = [
        path
        for level in range(levels)
        for path in (folder / str(level) / "c").glob("*/*")
        if not path.stat().st_size
    ]
    for path in empty:
        path.unlink()
    return bool(empty)


def _remove_leftovers(folder: Path) -> None:
    """Delete chunks that a killed process had not written to the end (zarr's names)."""
    for leftover in folder.rglob("*.partial"):
        leftover.unlink()


def _check_classes(schema: ClassSchema) -> None:
    if len(schema) > MAX_CLASSES:
        raise UserError(
            f"{len(schema)} classes are too many to be corrected; use a model with at most "
            f"{MAX_CLASSES}."
        )


def _migrate(group: zarr.Group, header: CorrectionHeader) -> None:
    """Say that the values may be those of the present format; the old ones mean the same."""
    if header.as_attributes() != group.attrs[_ATTRIBUTE] and not group.read_only:
        group.attrs[_ATTRIBUTE] = header.as_attributes()


def _check_stamp(folder: Path, header: CorrectionHeader, image_stamp: str) -> None:
    if header.image_stamp != image_stamp:
        raise UserError(
            f"The corrections in {folder} belong to {header.image_stamp}, not to {image_stamp};"
            " choose another folder."
        )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("its attributes are not a table")
    return value
