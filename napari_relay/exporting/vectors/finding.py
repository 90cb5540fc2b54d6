"""Connected objects of a prediction, strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_relay.exporting.vectors.extents import Extents, extend, no_extents
from napari_relay.exporting.vectors.ground import Ground
from napari_relay.exporting.vectors.joining import Joined, first_joined, join
from napari_relay.exporting.vectors.measures import Describer
from napari_relay.exporting.vectors.options import ObjectOptions
from napari_relay.exporting.vectors.outlines import NoOutlines, Outlines, Polygons
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.exporting.vectors.runs import Flags, find_runs
from napari_relay.exporting.vectors.strips import Bytes, Strip, read_strips, split_strip
from napari_relay.exporting.vectors.sums import Sums, no_sums, sum_strip
from napari_relay.exporting.vectors.within import draw_area
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import UserError

ALL = ObjectOptions()


@dataclass(frozen=True)
class FoundObjects:
    """Objects that end in one strip."""

    described: list[PredictedObject]
    """What is known of each."""
    polygons: Polygons
    """The outline of each."""


def iter_objects(
    store: PredictionStore, image: PyramidImage, options: ObjectOptions = ALL
) -> Iterator[PredictedObject]:
    """Objects of a prediction, without their outlines, in the order in which they end.

    Raises
    ------
    UserError
        When a class is not the model's or the image is not what was predicted; when
        ``within`` is given and rasterio is not installed.
    """
    finder = ObjectFinder(store, image, options, NoOutlines())
    for strip in read_strips(store):
        for found in finder.find(strip):
            yield from found.described


class ObjectFinder:
    """Finds objects strip after strip, from top to bottom.

    What is kept from strip to strip grows with the objects that may go on
    below, not with the image.

    Parameters
    ----------
    store
        The prediction.
    image
        Where it lies.
    options
        Which objects are wanted.
    outlines
        What makes their outlines.
    """

    def __init__(
        self,
        store: PredictionStore,
        image: PyramidImage,
        options: ObjectOptions,
        outlines: Outlines,
    ) -> None:
        _check_same(store, image)
        self._options, self._outlines = options, outlines
        self._wanted = options.label_flags(store.classes)
        self._height = store.shape[0]
        self._ground = Ground.of(image)
        self._describer = Describer(store, self._ground)
        self._joined = first_joined(store.shape[1])
        self._sums, self._extents = no_sums(), no_extents()

    def find(self, strip: Strip) -> Iterator[FoundObjects]:
        """The objects that end in the next strip, in parts."""
        for part in split_strip(strip):
            yield self._part(part)

    def _part(self, strip: Strip) -> FoundObjects:
        bottom = strip.window.y1 - 1
        runs = find_runs(strip.labels, strip.y0, self._wanted)
        joined = join(self._joined, runs, bottom, is_last=bottom == self._height - 1)
        area = draw_area(self._options.within, strip.window)
        sums, extents = self._added(joined, strip, area)
        wanted = ~joined.is_open & self._pass(sums)
        polygons = self._outlines.take(joined, strip, wanted)
        self._keep(joined, sums, extents)
        described = self._describer.describe(sums.taken(wanted), extents.taken(wanted))
        return FoundObjects(list(described), polygons)

    def _added(self, joined: Joined, strip: Strip, area: Bytes | None) -> tuple[Sums, Extents]:
        """Of all objects that the strip has a part in, with what was known of them."""
        old = self._sums.gathered(joined.old, joined.count)
        return (
            old.plus(sum_strip(joined, strip, self._ground, area)),
            extend(self._extents, joined),
        )

    def _keep(self, joined: Joined, sums: Sums, extents: Extents) -> None:
        self._joined = joined
        self._sums, self._extents = sums.taken(joined.is_open), extents.taken(joined.is_open)

    def _pass(self, sums: Sums) -> Flags:
        options = self._options
        passed = sums.area >= options.minimum_area * (1 - 1e-9)
        passed &= sums.confidence >= options.minimum_confidence * 255 * sums.pixels
        if options.within is not None:
            passed &= 2 * sums.inside >= sums.pixels
        return np.asarray(passed)


def _check_same(store: PredictionStore, image: PyramidImage) -> None:
    if store.shape != image.shape:
        sizes = [f"{cols} × {rows} px" for rows, cols in (store.shape, image.shape)]
        raise UserError(
            f"{store.folder} is the prediction of an image of {sizes[0]}, and {image.source} "
            f"has {sizes[1]}; open the image that was predicted."
        )
