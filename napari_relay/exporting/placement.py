"""Where a raster lies in the world."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_relay.exporting.geotiff import Affine
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage


@dataclass(frozen=True)
class Placement:
    """Where a mask lies in the world."""

    pixel_size: tuple[float, float] | None = None
    """``(row, col)`` size of a pixel in :attr:`unit`."""
    unit: str | None = None
    """``"um"``, ``"m"`` or ``"degree"``."""
    crs: str | None = None
    """E.g. ``"EPSG:32648"``, or WKT."""
    affine: Affine | None = None
    """Pixel corner to :attr:`crs`, as in :class:`PyramidImage`."""

    @classmethod
    def of(cls, image: PyramidImage) -> Placement:
        """Where an image lies."""
        return cls(image.pixel_size, image.unit, image.crs, image.affine)

    def within(self, window: Window) -> Placement:
        """Where a part lies, in pixels of the whole."""
        if self.affine is None:
            return self
        a, b, c, d, e, f = self.affine
        x = c + a * window.x0 + b * window.y0
        y = f + d * window.x0 + e * window.y0
        return replace(self, affine=(a, b, x, d, e, y))
