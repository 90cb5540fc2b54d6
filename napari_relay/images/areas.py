"""How much ground or tissue a number of pixels covers."""

from __future__ import annotations

from napari_relay.images.pyramid import PyramidImage

_SQUARE_UM_IN_MM = 1e6
_SQUARE_M_IN_HA = 1e4
_SQUARE_M_IN_KM = 1e6


def area_text(pixels: int, image: PyramidImage) -> str:
    """An area as a person reads it, in the unit that suits its size.

    Parameters
    ----------
    pixels
        Number of level-0 pixels.
    image
        Whose pixels they are.

    Returns
    -------
    str
        In m², ha or km² for metres, µm² or mm² for micrometres, else pixels.
    """
    side = image.pixel_size
    if side is not None and image.unit == "m":
        return _square_metres(pixels * side[0] * side[1])
    if side is not None and image.unit == "um":
        return _square_micrometres(pixels * side[0] * side[1])
    return f"{pixels:_} px".replace("_", "\u2009")


def _square_metres(area: float) -> str:
    if area >= _SQUARE_M_IN_KM:
        return f"{_rounded(area / _SQUARE_M_IN_KM)} km²"
    if area >= _SQUARE_M_IN_HA:
        return f"{_rounded(area / _SQUARE_M_IN_HA)} ha"
    return f"{_rounded(area)} m²"


def _square_micrometres(area: float) -> str:
    if area >= _SQUARE_UM_IN_MM / 100:
        return f"{_rounded(area / _SQUARE_UM_IN_MM)} mm²"
    return f"{_rounded(area)} µm²"


def _rounded(value: float) -> str:
    """Three figures, and all of those before the point."""
    if value >= 100:
        return f"{value:_.0f}".replace("_", "\u2009")
    return f"{value:.3g}"
