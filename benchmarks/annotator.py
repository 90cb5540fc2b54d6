"""A simulated person who paints right what a prediction has wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line
from skimage.morphology import disk

from napari_relay.geometry import Window
from relay_tokens import IGNORE_INDEX

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
SLIVER = 2
"""Pixels from its edge up to which no point of a mistake is worth a stroke."""
DIRECTIONS = 8
"""Of strokes that are tried, over half a turn."""
POLYGON_EVERY = 3
"""One of so many corrections is a polygon, the others are strokes."""
AGREED = 0.02
"""Share of a place that may be wrong for a person to agree with it."""


@dataclass(frozen=True, eq=False)
class Correction:
    """Something painted: a stroke, a polygon, or a place that was agreed with."""

    window: Window
    """Level-0 pixels, inside the image."""
    labels: Labels
    """``(height, width)`` classes; 255 where nothing is painted."""


@dataclass(frozen=True, eq=False)
class _Mistake:
    """Pixels of one true class, side by side, that are predicted as something else."""

    window: Window
    """Around them."""
    mask: Mask
    """``(height, width)`` which pixels."""
    true: int
    """Their class."""

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.mask.sum())


@dataclass(frozen=True)
class Annotator:
    """Paints corrections of limited size inside wrongly predicted objects."""

    truth: Labels
    """``(rows, cols)`` classes; 255 where unknown."""
    brush: int
    """Width of a stroke, in pixels; narrower in a narrow object."""
    reach: int
    """Length of a stroke, and side of the square that a polygon fits in, in pixels."""

    def correct_worst(self, predicted: Labels, corrected: Mask, count: int) -> list[Correction]:
        """Correct the largest mistakes, one stroke or polygon each, apart from each other.

        Parameters
        ----------
        predicted
            ``(rows, cols)`` classes.
        corrected
            ``(rows, cols)``: where something was painted before.
        count
            At most so many.
        """
        wrong = self._wrong(predicted, corrected)
        made: list[Correction] = []
        for mistake in sorted(self._mistakes(wrong), key=lambda one: -one.area):
            correction = self._paint(mistake, len(made))
            if len(made) < count and all(self._is_apart(correction, other) for other in made):
                made.append(correction)
        return made

    def correct_places(
        self, predicted: Labels, corrected: Mask, places: Sequence[Window]
    ) -> list[Correction]:
        """Correct the largest mistake of each place, or agree where it is right.

        Where nothing is worth a stroke and yet too much wrong to agree, nothing is done.

        Parameters
        ----------
        predicted, corrected
            As in :meth:`correct_worst`.
        places
            Level-0 windows inside the image.
        """
        wrong = self._wrong(predicted, corrected)
        made: list[Correction] = []
        for number, place in enumerate(places):
            found = sorted(self._mistakes(wrong, place), key=lambda one: -one.area)
            if found:
                made.append(self._paint(found[0], number))
            elif wrong[place.slices].mean() <= AGREED:
                made.append(Correction(place, self._agreed(predicted, place)))
        return made

    def _wrong(self, predicted: Labels, corrected: Mask) -> Mask:
        wrong: Mask = (predicted != self.truth) & (self.truth != IGNORE_INDEX) & ~corrected
        return wrong

    def _agreed(self, predicted: Labels, place: Window) -> Labels:
        truth, said = self.truth[place.slices], predicted[place.slices]
        return np.where(truth == said, said, IGNORE_INDEX).astype(np.uint8)

    def _mistakes(self, wrong: Mask, place: Window | None = None) -> Iterator[_Mistake]:
        """What is wrong in a place, or anywhere, but for slivers along borders."""
        place = place or Window(0, 0, *wrong.shape)
        truth, wrong = self.truth[place.slices], wrong[place.slices]
        for true in np.unique(truth[wrong]).tolist():
            core = ndimage.binary_erosion(wrong & (truth == true), disk(SLIVER), border_value=1)
            numbered, _ = ndimage.label(core)
            for number, found in enumerate(ndimage.find_objects(numbered), 1):
                rows, cols = found
                window = Window(
                    place.y0 + rows.start,
                    place.x0 + cols.start,
                    rows.stop - rows.start,
                    cols.stop - cols.start,
                )
                yield _Mistake(window, numbered[found] == number, true)

    def _paint(self, mistake: _Mistake, number: int) -> Correction:
        """Paint into a mistake, from its deepest point on."""
        depth = ndimage.distance_transform_edt(np.pad(mistake.mask, 1))[1:-1, 1:-1]
        row, col = np.unravel_index(int(np.argmax(depth)), depth.shape)
        start = int(row), int(col)
        if number % POLYGON_EVERY == POLYGON_EVERY - 1:
            painted = self._polygon(mistake.mask, start)
        else:
            painted = self._stroke(mistake.mask, start, float(depth[start]))
        return _cropped(mistake, painted)

    def _stroke(self, mask: Mask, start: tuple[int, int], depth: float) -> Mask:
        """Draw a brush along the straight line that stays longest inside."""
        along = max((self._line(mask, start, k) for k in range(DIRECTIONS)), key=np.count_nonzero)
        width = max(min(self.brush / 2, depth), 1)
        inside: Mask = (ndimage.distance_transform_edt(~along) < width) & mask
        return inside

    def _line(self, mask: Mask, start: tuple[int, int], direction: int) -> Mask:
        """Follow a line both ways up to half the reach, as far as it stays inside."""
        angle, half = math.pi * direction / DIRECTIONS, self.reach / 2 - self.brush / 2
        drawn = np.zeros_like(mask)
        for way in (-half, half):
            end = (
                round(start[0] + way * math.sin(angle)),
                round(start[1] + way * math.cos(angle)),
            )
            for row, col in zip(*line(*start, *end), strict=True):
                inside = 0 <= row < mask.shape[0] and 0 <= col < mask.shape[1]
                if not (inside and mask[row, col]):
                    break
                drawn[row, col] = True
        return drawn

    def _polygon(self, mask: Mask, start: tuple[int, int]) -> Mask:
        """Outline what lies around a point, within a square of the reach."""
        half = self.reach // 2
        near = np.zeros_like(mask)
        rows, cols = (slice(max(at - half, 0), at + half) for at in start)
        near[rows, cols] = mask[rows, cols]
        numbered, _ = ndimage.label(near)
        outlined: Mask = numbered == numbered[start]
        return outlined

    def _is_apart(self, one: Correction, other: Correction) -> bool:
        return not one.window.expanded(self.reach // 2).intersects(other.window)


def _cropped(mistake: _Mistake, painted: Mask) -> Correction:
    """What was painted, in the window around it."""
    rows, cols = ndimage.find_objects(painted.astype(np.uint8))[0]
    window = Window(
        mistake.window.y0 + rows.start,
        mistake.window.x0 + cols.start,
        rows.stop - rows.start,
        cols.stop - cols.start,
    )
    labels = np.where(painted[rows, cols], np.uint8(mistake.true), np.uint8(IGNORE_INDEX))
    return Correction(window, labels)
