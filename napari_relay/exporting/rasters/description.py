"""What our rasters say about themselves, whatever their format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

from napari_relay.exporting.geotiff import Affine
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.options import Quantity
from relay_tokens import ClassSchema, SegmentationClass, UserError

WRITTEN_BY = "napari-relay"


@dataclass(frozen=True)
class RasterDescription:
    """What the pixels of a raster mean; also how our own rasters are recognised."""

    quantity: Quantity
    """What the pixels are."""
    bands: tuple[str, ...]
    """Name of each band."""
    classes: ClassSchema | None
    """Names and colours of the classes; None: not known."""
    placement: Placement
    """Where the raster lies, also where a format has no room for it."""

    @property
    def is_mask(self) -> bool:
        """Whether the pixels are classes."""
        return self.quantity == "classes"

    @property
    def nodata(self) -> int:
        """Value of a pixel that is not predicted."""
        return 255 if self.is_mask else 0

    @property
    def scale(self) -> float:
        """What a value of 1 stands for."""
        return 1.0 if self.is_mask else 1 / 255

    def to_json(self) -> dict[str, Any]:
        """The description as a JSON object."""
        return {
            "software": WRITTEN_BY,
            "quantity": self.quantity,
            "bands": list(self.bands),
            "classes": [
                {"label": label, "name": member.name, "color": member.color}
                for label, member in enumerate(self.classes or ())
            ],
            "nodata": self.nodata,
            "scale": self.scale,
            **asdict(self.placement),
        }

    @classmethod
    def from_text(cls, text: str) -> RasterDescription | None:
        """Read what :meth:`to_json` gave, as text; None for any other text."""
        try:
            values = json.loads(text)
        except ValueError:
            return None
        return cls.from_json(values) if isinstance(values, dict) else None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RasterDescription | None:
        """Read what :meth:`to_json` gave; None for any other object."""
        if values.get("software") != WRITTEN_BY or values.get("quantity") not in get_args(Quantity):
            return None
        try:
            members = [SegmentationClass(c["name"], c["color"]) for c in values["classes"]]
            classes = ClassSchema(tuple(members)) if members else None
            bands = tuple(str(name) for name in values["bands"])
            return cls(cast(Quantity, values["quantity"]), bands, classes, _placement(values))
        except (KeyError, TypeError, ValueError, UserError):
            return None


def _placement(values: Mapping[str, Any]) -> Placement:
    size, affine, unit, crs = (values[name] for name in ("pixel_size", "affine", "unit", "crs"))
    return Placement(
        (float(size[0]), float(size[1])) if size else None,
        str(unit) if unit else None,
        str(crs) if crs else None,
        cast(Affine, tuple(float(value) for value in affine)) if affine else None,
    )
