"""What a model would say of a place if its context were another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.exploring.changes import Changes
from napari_relay.exploring.crop_runner import CropRunner
from napari_relay.exploring.place import Place, windows_at
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import CropPair, PredictOptions
from relay_tokens import IGNORE_INDEX, Checkpoint, ContextDependence, UserError, context_dependence

OtherContext = Literal["cut", "blank", "elsewhere"]


@dataclass(frozen=True)
class WhatIf:
    """In which way the context is another one."""

    kind: OtherContext
    """``cut``: the relay tokens do not read the global crop; ``blank``: the global
    crop is zero, which normalised is the mean; ``elsewhere``: it is another place's."""
    elsewhere: Place | None = None
    """With ``elsewhere``: the place around which the global crop is read."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(OtherContext):
            raise UserError(
                f"what if {self.kind!r}: it must be {', '.join(get_args(OtherContext))}."
            )
        if (self.kind == "elsewhere") != (self.elsewhere is not None):
            raise UserError("Another place is needed for `elsewhere`, and for nothing else.")


class ContextSwitch:
    """Runs crop pairs with their own and with another context.

    Parameters
    ----------
    runner
        The model on its device.
    what_if
        The other context.

    Raises
    ------
    UserError
        When the other place is outside the image.
    """

    def __init__(self, runner: CropRunner, what_if: WhatIf) -> None:
        self._runner, self._what_if = runner, what_if
        self._other: NDArray[np.float32] | None = None
        if what_if.elsewhere is not None:
            windows = windows_at(what_if.elsewhere, runner.image, runner.model)
            self._other = runner.read(windows.local).global_

    def compare(self, pairs: Sequence[CropPair], windows: Sequence[Window]) -> list[Changes]:
        """Changes over each crop's whole window, as far as it lies in the image."""
        runner = self._runner
        local = runner.tensor([pair.local for pair in pairs])
        wide = runner.tensor([pair.global_ for pair in pairs if pair.global_ is not None])
        with runner.running():
            found = context_dependence(
                runner.model, local, wide, self._other_global(wide), self._what_if.kind == "cut"
            )
            runner.require_numbers(found.probability_change)
        return [
            _changes(found, item, pair, window, runner.image.window)
            for item, (pair, window) in enumerate(zip(pairs, windows, strict=True))
        ]

    def _other_global(self, wide: Tensor) -> Tensor | None:
        if self._other is None:
            return None
        return self._runner.tensor([self._other]).expand_as(wide)


def what_if(
    checkpoint: Checkpoint,
    image: PyramidImage,
    place: Place,
    what_if: WhatIf,
    options: PredictOptions | None = None,
) -> Changes:
    """Compare what a model says of the window around a place with two contexts.

    A causal check beside attention: nothing else than the context differs
    between the two runs. For a worker thread; the same model may be predicting
    in another one.

    Parameters
    ----------
    checkpoint
        A model with relay tokens.
    image
        With the bands that the model reads.
    place
        Level-0 pixel; the local window is that of :func:`~napari_relay.exploring.probe`.
    what_if
        The other context. That of another place is normalised as it would be there.
    options
        The prediction's: device and precision are taken from them.

    Returns
    -------
    Changes
        Over the local window, as far as it lies in the image.

    Raises
    ------
    UserError
        When a place is outside the image, the model has no relay tokens or does
        not fit the image, or the image can no longer be read.
    """
    runner = CropRunner(checkpoint, image, options)
    local = windows_at(place, image, runner.model).local
    (changes,) = ContextSwitch(runner, what_if).compare([runner.read(local)], [local])
    return changes


def _changes(
    found: ContextDependence, item: int, pair: CropPair, window: Window, image: Window
) -> Changes:
    inside = window.intersection(image)
    rows, cols = inside._replace(y0=inside.y0 - window.y0, x0=inside.x0 - window.x0).slices
    no_data = ~pair.valid[rows, cols]
    before, after = (
        classes[item, rows, cols].cpu().numpy().astype(np.uint8)
        for classes in (found.before, found.after)
    )
    moved = found.probability_change[item, rows, cols].cpu().numpy()
    before[no_data] = after[no_data] = IGNORE_INDEX
    return Changes(inside, before, after, np.where(no_data, np.float32(0), moved))
