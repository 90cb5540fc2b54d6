"""From sums over pixels to what is said of an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np

from napari_relay.exporting.vectors.extents import Extents
from napari_relay.exporting.vectors.ground import Ground, Numbers
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.exporting.vectors.sums import Sums
from napari_relay.geometry import Window
from napari_relay.inference.store import PredictionStore

_NAMESPACE = UUID("6f2b1e0c-6d0e-5b0a-9b64-2f5d6d5d8a51")
"""Of the ids of this project's objects; never to be changed."""


@dataclass(frozen=True)
class Describer:
    """Says of objects what can be read from their sums."""

    store: PredictionStore
    """Whose objects they are."""
    ground: Ground
    """Sizes of the pixels."""

    def describe(self, sums: Sums, extents: Extents) -> Iterator[PredictedObject]:
        """One after the other, in their order."""
        n, names = sums.pixels, self.store.classes.names
        has_scales = self.store.disagreement is not None
        shares = sums.confidence / n / 255, sums.disagreement / n / 255
        middles = np.stack([sums.rows, sums.cols], axis=1) / n[:, None]
        long = elongations(sums, self.ground)
        width = self.store.shape[1]
        for k, first in enumerate(extents.first.tolist()):
            y0, x0 = divmod(first, width)
            left, right = int(extents.left[k]), int(extents.right[k])
            label = int(extents.labels[k])
            yield PredictedObject(
                self._id(label, y0, x0),
                label,
                names[label],
                int(n[k]),
                float(sums.area[k]),
                float(sums.perimeter[k]),
                self.ground.unit,
                float(shares[0][k]),
                float(shares[1][k]) if has_scales else None,
                float(long[k]),
                (float(middles[k, 0]), float(middles[k, 1])),
                Window(y0, left, int(extents.bottom[k]) + 1 - y0, right - left),
                (y0, x0),
            )

    def _id(self, label: int, row: int, col: int) -> UUID:
        header = self.store.header
        return uuid5(_NAMESPACE, f"{header.image} {header.model} {label} {row} {col}")


def elongations(sums: Sums, ground: Ground) -> Numbers:
    """Ratio of the axes of the ellipses with the objects' second moments.

    The root of the ratio of the eigenvalues of the covariance of the ground
    covered; each pixel is a square, which adds 1/12 to the variance of its middle
    (Haralick and Shapiro, "Computer and Robot Vision" I, 1992, appendix A).
    """
    n = sums.pixels
    row, col = sums.rows / n, sums.cols / n
    spread = np.empty((len(n), 2, 2))
    spread[:, 0, 0] = np.maximum(sums.cols_cols / n - col**2, 0) + 1 / 12
    spread[:, 1, 1] = np.maximum(sums.rows_rows / n - row**2, 0) + 1 / 12
    spread[:, 0, 1] = spread[:, 1, 0] = sums.rows_cols / n - row * col
    step = ground.matrices(row, col)
    axes = np.linalg.eigvalsh(step @ spread @ step.transpose(0, 2, 1))
    ratios: Numbers = np.sqrt(axes[:, 1] / np.maximum(axes[:, 0], 1e-12 * axes[:, 1]))
    return ratios
