"""The polygons of a vector file, laid over an image and drawn window by window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.grid import Extent, Grid, same_crs
from napari_relay.training.datasets.outlines import Outlines, Shapes, mended
from napari_relay.training.datasets.polygon_layer import STRAIGHT, Features, PolygonLayer
from napari_relay.training.imported.class_mapping import ClassMapping, suggestion
from napari_relay.training.imported.found import (
    FoundClass,
    ImportProgress,
    ImportSummary,
    Unusable,
)
from napari_relay.training.imported.vector_file import VectorFile, Word, words_of
from napari_relay.training.labels import Labels
from relay_tokens import ClassSchema, UserError

IN_MEMORY = 200_000
"""Features that are kept in memory; of a larger file only those of a window are, if it has a way
to find them."""
MOST_CLASSES = 200
"""Different words in a column that says a class, at most."""
_PIXELS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_BESIDE = "coordinates that do not exist in the image's system"


class Drawn(NamedTuple):
    """Polygons in level-0 pixel corners ``(x, y)``, in the order of the file."""

    shapes: Shapes
    """``(n,)`` valid polygons."""
    words: list[Word]
    """What each is said to be."""


@dataclass(eq=False)
class ImportedPolygons:
    """Polygons with a class each; a pixel belongs to the last one that its centre lies in."""

    path: Path
    """The vector file."""
    image: PyramidImage
    """What they are laid over."""
    schema: ClassSchema
    """Classes that are suggested."""
    file: VectorFile
    """What the file has."""
    column: str | None
    """Which column says the class."""
    _kept: Drawn | None = field(default=None, repr=False)

    @property
    def window(self) -> Window:
        """The whole image, or where the polygons are once they are known."""
        if self._kept is None or not len(self._kept.shapes):
            return self.image.window
        left, top, right, bottom = shapely.total_bounds(self._kept.shapes)
        y0, x0 = int(np.floor(top)), int(np.floor(left))
        met = Window(y0, x0, int(np.ceil(bottom)) - y0, int(np.ceil(right)) - x0)
        return met.intersection(self.image.window)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that could say the class."""
        return self.file.columns

    @cached_property
    def layer(self) -> PolygonLayer:
        """What is read."""
        return self.file.layer_with(self.column)

    @cached_property
    def _grid(self) -> Grid:
        """The image's own, or its pixels where the coordinates are those."""
        if self.image.affine is None or self.file.is_in_pixels:
            return Grid(self.image.shape, _PIXELS, None)
        return Grid(self.image.shape, self.image.affine, self.image.crs)

    @property
    def placed(self) -> str:
        """A sentence: how the coordinates are laid over the image."""
        own, there = self.layer.crs, self._grid.crs
        if self._grid.affine == _PIXELS and there is None:
            return "Coordinates are pixels of the image, from its upper-left corner."
        if own is None:
            return f"The file names no coordinate system; that of the image, {there}, is taken."
        if there is None or same_crs(own, there):
            return f"In the image's own coordinate system, {own}."
        return f"Reprojected from {own} to {there}."

    def survey(self) -> Iterator[ImportProgress]:
        """Read all features, and find out what they say and which can be drawn.

        Raises
        ------
        UserError
            When the file cannot be read, has no polygon, or too many classes.
        """
        total = self.layer.count()
        keep = not (self.layer.is_in_parts and total > IN_MEMORY)
        seen = _Seen()
        yield ImportProgress(0, max(total, 1))
        for features in self.layer.batches():
            drawn = self._survey(features, seen)
            if keep:
                seen.drawn.append(drawn)
            yield ImportProgress(min(seen.features, total), max(total, 1))
        if not seen.counts:
            raise UserError(
                f"{self.path} has no polygons that can be drawn; "
                f"{_why(seen) or 'lines and points have no inside'}."
            )
        self._kept = _joined(seen.drawn) if keep else None
        yield ImportProgress(max(total, 1), max(total, 1), self._summary(seen))

    def read(self, window: Window, mapping: ClassMapping) -> Labels:
        """Draw ``(height, width)`` values of a window; ``elsewhere`` where no polygon is."""
        from rasterio import Affine
        from rasterio.features import rasterize

        drawn = self._in(window)
        labels = np.full((window.height, window.width), mapping.elsewhere, np.uint8)
        inside = window.intersection(self.image.window)
        pairs = [
            (shape, mapping.values.get(word.text, mapping.elsewhere))
            for shape, word in zip(drawn.shapes, drawn.words, strict=True)
        ]
        if pairs:
            place = Affine.translation(window.x0, window.y0)
            rasterize(pairs, transform=place, out=labels)
        found = np.full_like(labels, 255)
        shift = inside._replace(y0=inside.y0 - window.y0, x0=inside.x0 - window.x0)
        found[shift.slices] = labels[shift.slices]
        return found

    @cached_property
    def _tree(self) -> shapely.STRtree:
        assert self._kept is not None
        return shapely.STRtree(self._kept.shapes)

    def _in(self, window: Window) -> Drawn:
        """Polygons that may reach into a window, in the order of the file."""
        if self._kept is None and not self.layer.is_in_parts:
            self._kept = _joined(
                [self._drawn(f, mended(f.shapes))[0] for f in self.layer.batches()]
            )
        if self._kept is not None:
            box = shapely.box(window.x0, window.y0, window.x1, window.y1)
            found = np.sort(self._tree.query(box, predicate="intersects"))
            return Drawn(self._kept.shapes[found], [self._kept.words[i] for i in found])
        part = self._grid.cut(Extent(window.y0, window.x0, window.y1, window.x1))
        return self._all_drawn(self.layer.features(self.layer.bounds_of(part)))

    def _all_drawn(self, features: Features) -> Drawn:
        return self._drawn(features, mended(features.shapes))[0]

    def _drawn(self, features: Features, outlines: Outlines) -> tuple[Drawn, NDArray[np.intp]]:
        """What can be drawn of some features, and which of them that is."""
        shapes = outlines.shapes
        solid = np.flatnonzero(~shapely.is_missing(shapes))
        moved = self._in_pixels(shapes[solid])
        known = np.isfinite(shapely.bounds(moved)).all(axis=1)
        order = solid[known]
        return Drawn(moved[known], words_of(features.words[order])), order

    def _in_pixels(self, shapes: Shapes) -> Shapes:
        if not len(shapes):
            return shapes
        grid, inverse = self._grid, np.linalg.inv(self._grid.matrix)
        tolerance = STRAIGHT * float(np.sqrt(grid.pixel_area))
        moved: Shapes = np.array(self.layer.moved(shapes.tolist(), grid.crs, tolerance))

        def to_pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(points @ inverse[:2, :2].T + inverse[:2, 2])

        found: Shapes = shapely.transform(moved, to_pixels)
        return found

    # --- what there is

    def _survey(self, features: Features, seen: _Seen) -> Drawn:
        outlines = mended(features.shapes)
        drawn, order = self._drawn(features, outlines)
        lost = (outlines.reasons == "") & ~np.isin(np.arange(len(outlines.shapes)), order)
        outlines.reasons[lost] = _BESIDE
        numbers = features.numbers
        seen.features += len(numbers)
        seen.repaired += numbers[outlines.repaired & ~lost].tolist()
        bad = np.flatnonzero(outlines.reasons != "")
        seen.unusable += [Unusable(int(numbers[i]), str(outlines.reasons[i])) for i in bad]
        over = shapely.intersects(drawn.shapes, shapely.box(0, 0, *self.image.shape[::-1]))
        seen.outside += int(np.count_nonzero(~over))
        seen.counts.update(word.text for word in drawn.words)
        seen.colors |= {word.text: word.color for word in drawn.words if word.color}
        if len(seen.counts) > MOST_CLASSES:
            raise UserError(
                f"{self.path} has more than {MOST_CLASSES} different words in its column "
                f"{self.column}; choose the column that says the class."
            )
        return drawn

    def _summary(self, seen: _Seen) -> ImportSummary:
        found = [
            FoundClass(
                text,
                count,
                color=seen.colors.get(text),
                suggested=suggestion(text, "", None, self.schema),
            )
            for text, count in seen.counts.most_common()
        ]
        return ImportSummary(
            classes=tuple(sorted(found, key=lambda one: one.suggested is not None)),
            unit="objects",
            placed=self.placed,
            columns=self.columns,
            column=self.column,
            repaired=tuple(seen.repaired),
            unusable=tuple(seen.unusable),
            outside=seen.outside,
        )


@dataclass
class _Seen:
    """What was found so far."""

    features: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    colors: dict[str, str | None] = field(default_factory=dict)
    repaired: list[int] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    outside: int = 0
    drawn: list[Drawn] = field(default_factory=list)


def _joined(parts: list[Drawn]) -> Drawn:
    shapes = np.concatenate([part.shapes for part in parts]) if parts else np.empty(0, object)
    return Drawn(shapes, [word for part in parts for word in part.words])


def _why(seen: _Seen) -> str:
    reasons = dict.fromkeys(one.reason for one in seen.unusable)
    return "its features have " + " or ".join(reasons) if reasons else ""
