"""What changes in a part of an image with other weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from napari_relay.exploring.changes import Changes
from napari_relay.exploring.view_changes import MOST_TILES, TileComparison, ViewChanges
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import CropPair, PredictOptions, check_fit, choose_device
from napari_relay.inference.crops import read_crop_pair
from napari_relay.inference.devices import ready_model
from relay_tokens import IGNORE_INDEX, Checkpoint


class WeightsSwitch:
    """Runs crop pairs with old and with new weights.

    Parameters
    ----------
    old, new
        Two versions of a model, for the same bands and classes.
    image
        With the bands that both read.
    options
        The device is taken from them.

    Raises
    ------
    UserError
        When a model does not take the image's bands, or there is no such device.
    """

    def __init__(
        self, old: Checkpoint, new: Checkpoint, image: PyramidImage, options: PredictOptions
    ) -> None:
        check_fit(image, new.metadata)
        self._image, self._metadata = image, new.metadata
        self._device = choose_device(options.device)
        self.old, self.new = (ready_model(one.model, self._device) for one in (old, new))

    def read(self, window: Window) -> CropPair:
        """What both see of a window; may be called in several threads."""
        return read_crop_pair(self._image, window, self.new.config, self._metadata)

    def compare(self, pairs: Sequence[CropPair], windows: Sequence[Window]) -> list[Changes]:
        """Changes over each crop's whole window, as far as it lies in the image."""
        local = torch.from_numpy(np.stack([pair.local for pair in pairs])).to(self._device)
        given = [pair.global_ for pair in pairs if pair.global_ is not None]
        wide = torch.from_numpy(np.stack(given)).to(self._device) if given else None
        with torch.inference_mode():
            soft = [
                model(local, wide).local_logits.float().softmax(dim=1)
                for model in (self.old, self.new)
            ]
            before, after = (one.argmax(dim=1, keepdim=True) for one in soft)
            moved = (soft[1].gather(1, before) - soft[0].gather(1, before))[:, 0]
        old, new = (one[:, 0].cpu().numpy().astype(np.uint8) for one in (before, after))
        change, whole = moved.cpu().numpy(), self._image.window
        return [
            _changes(Changes(window, old[k], new[k], change[k]), pair, whole)
            for k, (pair, window) in enumerate(zip(pairs, windows, strict=True))
        ]


def version_changes(
    old: Checkpoint,
    new: Checkpoint,
    image: PyramidImage,
    view: Window,
    options: PredictOptions | None = None,
    most_tiles: int = MOST_TILES,
) -> Iterator[ViewChanges]:
    """Compare, over a part of an image, what two versions of a model say.

    As :func:`~napari_relay.exploring.view_changes` does it with two contexts:
    tile by tile from the middle of the view outwards, for a worker thread, while the
    old version may be predicting in another one.

    Parameters
    ----------
    old, new
        The versions, for the same bands and classes.
    image
        With the bands that both read.
    view
        Level-0 pixels; parts outside the image are left out.
    options
        The prediction's: tile grid, batch size, reader threads and device are
        taken from them.
    most_tiles
        Of a larger view only so many tiles around its middle are compared.

    Yields
    ------
    ViewChanges
        One for each tile.

    Raises
    ------
    UserError
        When a model does not fit the image.
    """
    options = options or PredictOptions()
    switch = WeightsSwitch(old, new, image, options)
    comparison = TileComparison(image, switch.new, switch.read, switch.compare, options)
    yield from comparison.over(view, most_tiles)


def _changes(found: Changes, pair: CropPair, image: Window) -> Changes:
    """The changes without what has no data or lies outside the image."""
    old, new = (
        np.where(pair.valid, one, IGNORE_INDEX).astype(np.uint8)
        for one in (found.before, found.after)
    )
    change = np.where(pair.valid, found.probability_change, np.float32(0))
    return Changes(found.window, old, new, change).within(image)
