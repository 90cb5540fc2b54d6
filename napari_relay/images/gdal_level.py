"""One level of a raster that GDAL reads, window by window."""

from __future__ import annotations

import logging
import math
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.limits import damaged

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

# rasterio logs what GDAL finds odd in a file; without a handler Python prints that.
logging.getLogger("rasterio").addHandler(logging.NullHandler())

OPENING = threading.Lock()
"""Held while a dataset is opened."""


class DatasetPool:
    """Handles of one level of a raster, each used by one thread at a time.

    A GDAL dataset is not thread-safe; there are at most as many handles as
    threads that read at once. All are closed with the pool.

    Parameters
    ----------
    path
        The raster.
    drivers
        GDAL drivers that may open it.
    overview
        Index of the overview, or None for full resolution.
    """

    def __init__(self, path: Path, drivers: Sequence[str], overview: int | None = None) -> None:
        self.path = path
        self._drivers = tuple(drivers)
        self._overview = overview
        self._idle: list[DatasetReader] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def handle(self) -> Iterator[DatasetReader]:
        """A dataset for this thread; one that raised is not used again."""
        import rasterio

        # Within an Env GDAL's messages go to Python's log instead of standard error.
        with rasterio.Env():
            with self._lock:
                dataset = self._idle.pop() if self._idle else None
            dataset = dataset or self._open()
            try:
                yield dataset
            except BaseException:
                dataset.close()
                raise
            with self._lock:
                self._idle.append(dataset)

    def _open(self) -> DatasetReader:
        from rasterio.errors import NotGeoreferencedWarning
        from rasterio.io import DatasetReader

        options = {} if self._overview is None else {"overview_level": self._overview}
        # Filters of warnings are the process's own: two threads must not swap them at once.
        with OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return DatasetReader(str(self.path), driver=list(self._drivers), **options)


def _close_all(datasets: list[DatasetReader]) -> None:
    while datasets:
        datasets.pop().close()


@dataclass(frozen=True, eq=False)
class GdalLevel:
    """One level of a raster, as ``(y, x, band)``."""

    pool: DatasetPool
    """Handles of this level."""
    shape: tuple[int, int, int]
    """Rows, columns, bands."""
    dtype: np.dtype[np.generic]
    """Data type of the pixels."""
    chunk: tuple[int, int]
    """Rows and columns that GDAL reads at once."""
    indexes: tuple[int, ...]
    """Numbers of the bands that are kept, from 1."""
    palette: NDArray[np.uint8] | None = None
    """``(index, 3)`` colours of an image of colour indices."""
    blank: float | None = None
    """Value of pixels that the raster's mask leaves out; None without a mask."""

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk with all its bands."""
        return math.prod(self.chunk) * len(self.indexes) * self.dtype.itemsize

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices."""
        rows, cols, bands = key
        window = ((rows.start, rows.stop), (cols.start, cols.stop))
        try:
            with self.pool.handle() as dataset:
                stored = dataset.read(self.indexes, window=window, out_dtype=self._stored_type)
                shown = None if self.blank is None else dataset.dataset_mask(window=window) != 0
        # Every driver has its own exceptions; all of them mean a damaged file here.
        except Exception as error:
            raise damaged(self.pool.path, rows, cols) from error
        return np.ascontiguousarray(self._pixels(stored, shown)[..., bands])

    @property
    def _stored_type(self) -> np.dtype[np.generic]:
        return self.dtype if self.palette is None else np.dtype(np.int64)

    def _pixels(
        self, stored: NDArray[np.generic], shown: NDArray[np.bool_] | None
    ) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` from what GDAL gives as ``(band, y, x)``."""
        pixels = np.moveaxis(stored, 0, 2)
        if self.palette is not None:
            pixels = self.palette[np.clip(pixels[..., 0], 0, len(self.palette) - 1)]
        if shown is None or self.blank is None:
            return pixels
        return np.where(shown[..., None], pixels, pixels.dtype.type(self.blank))
