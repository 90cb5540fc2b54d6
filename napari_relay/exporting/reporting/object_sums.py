"""The objects of a prediction, counted class by class while they are listed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.reporting.area_table import AreaUnit, figures
from napari_relay.exporting.reporting.tables import NONE, Table
from napari_relay.exporting.vectors import PredictedObject
from relay_tokens import ClassSchema

_BINS_A_DECADE = 4


@dataclass(frozen=True)
class ClassObjects:
    """The objects of one class."""

    label: int
    """The class."""
    areas: NDArray[np.float64]
    """``(object,)``, in square units of the objects."""


class ObjectSums:
    """Areas of many objects: eight bytes for each."""

    def __init__(self) -> None:
        self._areas: dict[int, array[float]] = {}

    def add(self, found: PredictedObject) -> None:
        """Count one more."""
        self._areas.setdefault(found.label, array("d")).append(found.area)

    @property
    def by_class(self) -> tuple[ClassObjects, ...]:
        """Of each class with an object, in label order."""
        return tuple(
            ClassObjects(label, np.array(areas)) for label, areas in sorted(self._areas.items())
        )

    @property
    def count(self) -> int:
        """All objects."""
        return sum(map(len, self._areas.values()))


def size_bins(areas: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Edges of a histogram over all areas: four bins a decade, at round places."""
    known = np.concatenate([part[part > 0] for part in areas] or [np.ones(1)])
    low, high = (np.log10(known.min()), np.log10(known.max())) if known.size else (0.0, 1.0)
    first = np.floor(low * _BINS_A_DECADE)
    last = max(np.floor(high * _BINS_A_DECADE) + 1, first + 1)
    edges: NDArray[np.float64] = 10 ** (np.arange(first, last + 1) / _BINS_A_DECADE)
    return edges


def object_table(found: Sequence[ClassObjects], classes: ClassSchema, unit: AreaUnit) -> Table:
    """Number of objects of each class and their sizes, to read."""
    rows = []
    for one in found:
        sizes = (np.median(one.areas), one.areas.min(), one.areas.max())
        shown = [figures(float(size) / unit.size) if len(one.areas) else NONE for size in sizes]
        rows.append((classes.names[one.label], figures(len(one.areas)), *shown))
    headings = (
        "class",
        "objects",
        *(f"{w} ({unit.name})" for w in ("median", "smallest", "largest")),
    )
    return Table(headings, tuple(rows), tuple(classes.colors[one.label] for one in found))


OBJECT_COLUMNS = (
    "id", "label", "class", "pixels", "area", "perimeter", "unit", "mean_confidence",
    "context_dependence", "elongation", "row", "col", "first_row", "first_col", "height", "width",
)  # fmt: skip
"""Of ``objects.csv``; areas and lengths are in the column ``unit``, rows and columns in
level-0 pixels."""


def object_cells(found: PredictedObject) -> list[str]:
    """A line of ``objects.csv``."""
    dependence = found.context_dependence
    window = found.window
    numbers = [f"{found.area:.10g}", f"{found.perimeter:.10g}", found.unit]
    measures = [f"{found.confidence:.4f}", "" if dependence is None else f"{dependence:.4f}"]
    place = [f"{found.middle[0]:.2f}", f"{found.middle[1]:.2f}"]
    return [
        str(found.id),
        str(found.label),
        found.name,
        str(found.pixels),
        *numbers,
        *measures,
        f"{found.elongation:.3f}",
        *place,
        *map(str, (window.y0, window.x0, window.height, window.width)),
    ]
