"""What is said of objects, as columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.inference.store import PredictionStore

Value = str | int | float


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """Its name; at most 10 letters in :attr:`short`."""
    short: str
    """Its name where long ones are cut off (Shapefile)."""
    dtype: type
    """Of its values: ``object`` for text."""
    read: Callable[[PredictedObject], Value]
    """Its value for an object."""

    def values(self, described: Sequence[PredictedObject]) -> NDArray[np.generic]:
        """Its values for objects."""
        return np.array([self.read(one) for one in described], dtype=self.dtype)


def columns_of(store: PredictionStore) -> tuple[Column, ...]:
    """The columns for the objects of a prediction."""
    model, version = store.header.model_name, store.header.model
    apart = Column("context_dependence", "context", float, lambda o: o.context_dependence or 0.0)
    return (
        Column("class", "class", object, lambda o: o.name),
        Column("class_id", "class_id", np.int32, lambda o: o.label),
        Column("area", "area", float, lambda o: o.area),
        Column("perimeter", "perimeter", float, lambda o: o.perimeter),
        Column("pixels", "pixels", np.int64, lambda o: o.pixels),
        Column("confidence", "confidence", float, lambda o: round(o.confidence, 4)),
        *((apart,) if store.disagreement is not None else ()),
        Column("elongation", "elongation", float, lambda o: round(o.elongation, 4)),
        Column("model", "model", object, lambda _: model),
        Column("model_version", "model_ver", object, lambda _: version),
        Column("id", "id", object, lambda o: str(o.id)),
    )
