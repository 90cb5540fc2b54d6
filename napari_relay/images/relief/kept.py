"""Images whose worked-out pixels are kept, as those of a file are."""

from __future__ import annotations

from dataclasses import replace

from napari_relay.images.cached_level import CachedImage, cached_levels
from napari_relay.images.chunk_cache import ChunkCache
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.source import lazy_array


def kept_in_memory(image: PyramidImage) -> PyramidImage:
    """The image with what was worked out last kept, for a person who pans to and fro.

    Whole chunks are worked out, within the bound of :class:`ChunkCache`. Whoever
    reads small windows all over an image fares better without.

    Parameters
    ----------
    image
        As from :func:`~napari_relay.images.relief.with_relief`.

    Returns
    -------
    PyramidImage
        ``image`` itself while levels of it are being built: what is not there yet
        must not be kept.
    """
    if image.build is not None and not image.build.is_complete:
        return image
    shared = CachedImage(image.source, False, image.nodata, ChunkCache(), image.damage)
    arrays = cached_levels(image.arrays, image.factors, shared, is_computed=True)
    levels = tuple(
        lazy_array(array, (int(level.chunksize[0]), int(level.chunksize[1])))
        for array, level in zip(arrays, image.levels, strict=True)
    )
    return replace(image, levels=levels, arrays=arrays)
