"""One connected object of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from napari_relay.geometry import Window

LengthUnit = Literal["m", "um", "px"]


@dataclass(frozen=True, slots=True)
class PredictedObject:
    """Pixels of one class that hang together by their edges, and what is known of them."""

    id: UUID
    """The same whenever the same model finds the same object in the same image."""
    label: int
    """Value of the class."""
    name: str
    """Name of the class."""
    pixels: int
    """Number of level-0 pixels."""
    area: float
    """In :attr:`unit` squared, of the pixels, holes left out; on the WGS 84 ellipsoid
    where the image is in degrees."""
    perimeter: float
    """In :attr:`unit`, along the edges of the pixels, those of holes too."""
    unit: LengthUnit
    """``"m"``, ``"um"`` or, for an image without a pixel size, ``"px"``."""
    confidence: float
    """Mean over the pixels of the probability of the class, 0 ... 1."""
    context_dependence: float | None
    """Mean over the pixels of the total variation distance between what the local and the
    global branch say, 0 ... 1 (:func:`~napari_relay.inference.scales.scale_disagreement`);
    None for a model of one scale."""
    elongation: float
    """Long over short axis of the ellipse with the same second moments; 1: round."""
    middle: tuple[float, float]
    """``(row, col)`` of the centroid, level-0 pixels, pixel centres at integers."""
    window: Window
    """The smallest window around it."""
    first: tuple[int, int]
    """``(row, col)`` of the leftmost pixel of the topmost row."""
