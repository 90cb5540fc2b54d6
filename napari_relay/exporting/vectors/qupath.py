"""What QuPath reads of an object (its GeoJSON since version 0.4)."""

from __future__ import annotations

from napari_relay.exporting.vectors.geojson import Properties
from napari_relay.exporting.vectors.options import ObjectType
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.inference.store import PredictionStore

_UNITS = {"um": "µm", "m": "m", "px": "px"}


def qupath_properties(store: PredictionStore, object_type: ObjectType) -> Properties:
    """``objectType``, ``classification``, ``measurements`` and ``metadata`` of objects."""
    header = store.header
    metadata = {"model": header.model_name, "model_version": header.model}
    classes = [
        {"name": member.name, "color": list(bytes.fromhex(member.color[1:]))}
        for member in store.classes
    ]

    def properties(one: PredictedObject) -> dict[str, object]:
        return {
            "objectType": object_type,
            "classification": classes[one.label],
            "measurements": measurements(one),
            "metadata": metadata,
        }

    return properties


def measurements(one: PredictedObject) -> dict[str, float]:
    """Numbers of an object, under names as QuPath has them."""
    unit = _UNITS[one.unit]
    measured = {
        f"Area {unit}^2": one.area,
        f"Perimeter {unit}": one.perimeter,
        "Pixels": float(one.pixels),
        "Confidence": round(one.confidence, 4),
        "Elongation": round(one.elongation, 4),
    }
    if one.context_dependence is not None:
        measured["Context dependence"] = round(one.context_dependence, 4)
    return measured
