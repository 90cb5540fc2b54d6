"""Images whose bands are worked out from the elevation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.relief.hillshade import Hillshade
from napari_relay.images.relief.level import CHUNK_SIDE, Band, ReliefLevel
from napari_relay.images.relief.local_relief import LocalRelief
from napari_relay.images.relief.relief import Relief
from napari_relay.images.relief.sky_view import Openness, SkyView
from napari_relay.images.relief.slope import Slope
from napari_relay.images.relief.spacing import ground_spacing
from napari_relay.images.source import lazy_array
from relay_tokens import UserError

ELEVATION = "elevation"
"""What the band of elevation is called wherever this project names it."""
ELEVATION_NAMES = (ELEVATION, "altitude", "height", "dem", "dtm", "dsm")
"""Names, in lower case, by which a band is known to be elevation."""
DIRECTIONS = ("hillshade 315", "hillshade 22.5", "hillshade 90")
"""The hillshades that RVT shows as red, green and blue."""
GROUPS = {"multi-direction hillshade": DIRECTIONS}
"""Names that stand for several bands."""
RELIEFS: dict[str, Relief] = {
    "hillshade": Hillshade(),
    "slope": Slope(),
    "local relief": LocalRelief(),
    "sky-view factor": SkyView(),
    "positive openness": Openness(),
    "negative openness": Openness(negative=True),
}
"""Bands that are worked out, with RVT's parameters; besides these, ``hillshade``
and an azimuth, e.g. ``hillshade 22.5``."""


def with_relief(image: PyramidImage, bands: Sequence[str]) -> PyramidImage:
    """The image with other bands: its own, and relief worked out where it is read.

    Each level is worked out from that level's own elevation and pixel size:
    level 0 equals the Relief Visualization Toolbox, coarser levels show what it
    would show of the coarser terrain. Radii keep their length on the ground,
    but for a smallest number of pixels (10 for local relief, else 5).

    Parameters
    ----------
    image
        With one of :data:`ELEVATION_NAMES` among its bands, if relief is asked for.
    bands
        Names, in any case: the image's own; ``"elevation"``; ``"hillshade"``
        (from 315°) or ``"hillshade 22.5"`` (from any azimuth, in degrees);
        ``"multi-direction hillshade"``, which becomes three bands (from 315°,
        22.5° and 90°); ``"slope"`` (degrees); ``"local relief"`` (the
        elevation's unit); ``"sky-view factor"`` (0 to 1); ``"positive
        openness"`` and ``"negative openness"`` (degrees). An own band comes
        before a worked-out one of the same name.

    Returns
    -------
    PyramidImage
        In float32, with NaN where there are no data; ``image`` itself if it has
        just these bands.

    Raises
    ------
    UserError
        When a name is unknown, the image has no band of elevation, or its
        pixels are in degrees and lie at no latitude.
    """
    names = tuple(single for name in bands for single in GROUPS.get(name.lower(), (name,)))
    parts = tuple(_band(image, name) for name in names)
    if parts == tuple(range(len(image.bands))):
        return image
    arrays = _levels(image, parts)
    sides = [(min(CHUNK_SIDE, a.shape[0]), min(CHUNK_SIDE, a.shape[1])) for a in arrays]
    levels = tuple(map(lazy_array, arrays, sides))
    return replace(image, levels=levels, bands=names, nodata=None, arrays=arrays)


def matching_bands(image: PyramidImage, wanted: Sequence[str]) -> PyramidImage:
    """The image as a model wants it: bands picked, put in order, and worked out.

    Parameters
    ----------
    image
        As it was opened.
    wanted
        Names of the model's bands, in its order.

    Returns
    -------
    PyramidImage
        As from :func:`with_relief`; ``image`` itself where its bands and those
        wanted do not go by the same names: whether their number fits is for
        whoever runs the model to say.

    Raises
    ------
    UserError
        When relief is wanted and the pixels are in degrees and lie at no latitude.
    """
    known = all(_find(image, name) is not None for name in wanted)
    return with_relief(image, wanted) if known else image


def elevation_band(image: PyramidImage) -> int | None:
    """Index of the first band that goes by a name of elevation; None without one."""
    named = (k for k, name in enumerate(image.bands) if name.lower() in ELEVATION_NAMES)
    return next(named, None)


def relief_named(name: str) -> Relief | None:
    """What a band of this name is worked out by; None for a name that is no relief."""
    kind, _, azimuth = name.lower().partition(" ")
    if kind == "hillshade" and azimuth.replace(".", "", 1).isdecimal():
        return Hillshade(azimuth=float(azimuth))
    return RELIEFS.get(name.lower())


def _find(image: PyramidImage, name: str) -> Band | None:
    """An own band, by its index, or how it is worked out."""
    own = [band.lower() for band in image.bands]
    elevation = elevation_band(image)
    if name.lower() in own:
        return own.index(name.lower())
    if elevation is None:
        return None
    return elevation if name.lower() == ELEVATION else relief_named(name)


def _band(image: PyramidImage, name: str) -> Band:
    found = _find(image, name)
    if found is not None:
        return found
    if relief_named(name) is not None:
        raise UserError(
            f"{image.source} has no band of elevation to work out the {name} from; "
            f'name its band "{ELEVATION}", or choose an elevation model.'
        )
    known = ", ".join((*image.bands, *GROUPS, *RELIEFS))
    raise UserError(f"{image.source} has no band {name}; choose among {known}.")


def _levels(image: PyramidImage, parts: tuple[Band, ...]) -> tuple[ReliefLevel, ...]:
    elevation, spacing = elevation_band(image), ground_spacing(image)
    return tuple(
        ReliefLevel(
            image,
            level,
            tuple(p if isinstance(p, int) else p.at_level(factor) for p in parts),
            elevation or 0,
            spacing.at_level(factor),
        )
        for level, factor in enumerate(image.factors)
    )
