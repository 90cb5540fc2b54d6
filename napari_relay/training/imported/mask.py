"""A mask of values or colours, laid over an image and read window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.grid import Grid, project
from napari_relay.training.datasets.mask_file import color_code, look_up, pixel_codes
from napari_relay.training.imported.class_mapping import ClassMapping, suggestion
from napari_relay.training.imported.found import FoundClass, ImportProgress, ImportSummary
from napari_relay.training.imported.mask_names import Colors, Names
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, ClassSchema, UserError

MOST_CLASSES = 200
"""Different values of a mask, at most: what has more is a picture."""
_BLOCK = 2048
_MARGIN = 2


class Codes(NamedTuple):
    """Pixels of a mask."""

    codes: NDArray[np.int64]
    """``(height, width)``: value, or colour ``0xrrggbb``."""
    valid: NDArray[np.bool_]
    """``(height, width)``: where there is one."""


class MaskPixels(Protocol):
    """The pixels of a mask file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the file."""

    @property
    def is_colored(self) -> bool:
        """Whether codes are colours."""

    @property
    def names(self) -> Names:
        """What the file calls its values."""

    @property
    def colors(self) -> Colors:
        """Their colours in the file."""

    def own(self, window: Window) -> Codes:
        """Read a window of the file's own pixels, which lies inside it."""

    def seen(self, window: Window) -> Codes:
        """Read a window of the image's pixels: the nearest pixel of the file."""


@dataclass(eq=False)
class ImportedMask:
    """The classes of a mask file on the image's pixels."""

    path: Path
    """The mask."""
    image: PyramidImage
    """What it is laid over."""
    schema: ClassSchema
    """Classes that are suggested."""
    pixels: MaskPixels
    """Its pixels."""
    grid: Grid | None
    """Where the mask lies; None: it has the image's own pixels."""

    @property
    def columns(self) -> tuple[str, ...]:
        """None: a mask has no columns."""
        return ()

    @property
    def placed(self) -> str:
        """A sentence: how it is laid over the image."""
        if self.grid is None:
            return "The image's own pixels, one by one."
        if self.grid.crs in (None, self.image.crs):
            return f"By its coordinates in {self.image.crs}, the nearest pixel."
        return f"Reprojected from {self.grid.crs} to {self.image.crs}, the nearest pixel."

    @cached_property
    def window(self) -> Window:
        """What of the image it meets."""
        whole = self.image.window
        if self.grid is None:
            return whole
        return _covering(self.grid, self._image_grid).intersection(whole)

    @property
    def _image_grid(self) -> Grid:
        assert self.image.affine is not None
        return Grid(self.image.shape, self.image.affine, self.image.crs)

    @cached_property
    def _met(self) -> Window:
        """What of the file meets the image, in its own pixels."""
        whole = Window(0, 0, *self.pixels.shape)
        if self.grid is None:
            return whole
        return _covering(self._image_grid, self.grid).intersection(whole)

    def survey(self) -> Iterator[ImportProgress]:
        """Count the values of all pixels that lie over the image.

        Raises
        ------
        UserError
            When the file cannot be read, has too many values, or lies elsewhere.
        """
        if not self._met.area or not self.window.area:
            raise UserError(
                f"{self.path} does not lie over {self.image.source.name}; choose a mask of this "
                "image, or one of the same place."
            )
        counts: dict[int, int] = {}
        blocks = list(_blocks(self._met))
        yield ImportProgress(0, len(blocks))
        for done, block in enumerate(blocks, 1):
            found = self.pixels.own(block)
            codes, numbers = np.unique(found.codes[found.valid], return_counts=True)
            for code, count in zip(codes.tolist(), numbers.tolist(), strict=True):
                counts[code] = counts.get(code, 0) + count
            self._check(counts)
            yield ImportProgress(done, len(blocks))
        yield ImportProgress(len(blocks), len(blocks), self._summary(counts))

    def read(self, window: Window, mapping: ClassMapping) -> Labels:
        """Read ``(height, width)`` values of a window; ``elsewhere`` where the mask says nothing.

        Raises
        ------
        UserError
            When there is a value that the mapping does not know.
        """
        labels = np.full((window.height, window.width), IGNORE_INDEX, np.uint8)
        inside = window.intersection(self.image.window)
        if not inside.area:
            return labels
        found = self.pixels.seen(inside)
        table = {self._code(key): value for key, value in mapping.values.items()}
        said = found.valid & (found.codes != self._nothing)
        unknown = said & ~np.isin(found.codes, list(table))
        if unknown.any():
            code = int(found.codes[unknown].flat[0])
            raise UserError(
                f"{self.path} has {self._key(code)} at a place where it was not seen before; "
                "import it again."
            )
        values = look_up(found.codes, table) if table else np.zeros_like(labels)
        place = inside._replace(y0=inside.y0 - window.y0, x0=inside.x0 - window.x0)
        labels[place.slices] = np.where(said, values, np.uint8(mapping.elsewhere))
        return labels

    @property
    def _nothing(self) -> int:
        """Code of what is not said anything of; no colour is."""
        return -1 if self.pixels.is_colored else IGNORE_INDEX

    def _key(self, code: int) -> str:
        return f"#{code:06x}" if self.pixels.is_colored else str(code)

    def _code(self, key: str) -> int:
        return color_code(key) if self.pixels.is_colored else int(key)

    def _check(self, counts: dict[int, int]) -> None:
        if len(counts) > MOST_CLASSES:
            what = "colours" if self.pixels.is_colored else "values"
            raise UserError(
                f"{self.path} is not a mask of classes: it has more than {MOST_CLASSES} different "
                f"{what}; choose another file."
            )

    def _summary(self, counts: dict[int, int]) -> ImportSummary:
        counts.pop(self._nothing, None)
        if not counts:
            raise UserError(
                f"{self.path} says nothing of any pixel of {self.image.source.name}; "
                "choose another file."
            )
        found = [self._found(code, count) for code, count in counts.items()]
        return ImportSummary(
            classes=tuple(sorted(found, key=lambda one: (one.suggested is not None, -one.count))),
            unit="pixels",
            placed=self.placed,
        )

    def _found(self, code: int, count: int) -> FoundClass:
        key, name = self._key(code), self.pixels.names.get(code, "")
        color = key if self.pixels.is_colored else self.pixels.colors.get(code)
        return FoundClass(key, count, name, color, suggestion(key, name, color, self.schema))


def codes_of(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Codes:
    """Codes of pixels ``(row, col, band)``."""
    return Codes(pixel_codes(pixels), valid)


def _covering(grid: Grid, onto: Grid) -> Window:
    """The pixels of a grid that another one may meet."""
    met = project(grid.extent, grid, onto).grown(_MARGIN)
    top, left, bottom, right = (int(v) for v in met)
    return Window(top, left, bottom - top, right - left)


def _blocks(window: Window) -> Iterator[Window]:
    for y0 in range(window.y0, window.y1, _BLOCK):
        for x0 in range(window.x0, window.x1, _BLOCK):
            yield Window(y0, x0, _BLOCK, _BLOCK).intersection(window)
