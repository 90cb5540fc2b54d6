"""The layer that shows the relay tokens' attention in one branch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

from napari_relay.inference.attention import AttentionStack, Branch, Direction
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.widgets.image_layer import placement_of

_CONTRAST = (1.0, 99.5)
"""Percentiles of what is shown that become clear and bright."""
_SAMPLE = 200_000
"""Weights that are looked at for them."""
_GROWN = 2.0
"""Limits are found anew when so many times more cells have weights."""
_COLORS: dict[Branch, tuple[str, ...]] = {
    "local": ("#000000", "#5c3a00", "#c48a00", "#ffd23f", "#ffffdc"),
    "global": ("#000000", "#002f6c", "#1879c9", "#5fd0f5", "#e6ffff"),
}
"""Yellow and blue, which colour-blind people tell apart; dark where little is read."""


@dataclass(frozen=True)
class _Limits:
    """What is clear and what is bright in the maps of a direction."""

    low: float
    """Weight that is clear."""
    high: float
    """Weight that is bright."""
    cells: int
    """Cells with weights when they were found; 0: the person chose them."""


class AttentionOverlay:
    """Shows maps of one branch in a two-dimensional layer.

    The contrast is kept when the map changes, for each direction: chosen when
    its first map is shown, and the person's from when they change it.

    Parameters
    ----------
    branch
        Over the patches of the local or of the global crops.
    base
        Layer of the image.
    insert
        Puts a new layer into the viewer.
    """

    def __init__(self, branch: Branch, base: Image, insert: Callable[[Image], None]) -> None:
        self.layer: Image | None = None
        self.branch = branch
        self.stack: AttentionStack | None = None
        self._base, self._insert = base, insert
        self._direction: Direction = "relay_to_patch"
        self._limits: dict[Direction, _Limits] = {}
        self._is_setting = False
        self._is_over = False

    @property
    def visible(self) -> bool:
        """Whether the person sees it."""
        return self.layer is not None and bool(self.layer.visible)

    def show(self, over_other: bool = False) -> None:
        """Show the layer, made anew if the person has deleted it.

        Parameters
        ----------
        over_other
            Whether it lies over the other branch's, to which its light is added.
        """
        if self.layer is None:
            self.layer = self._make_layer()
            self._insert(self.layer)
        if over_other != self._is_over:
            self._is_over = over_other
            self.layer.blending = "additive" if over_other else "translucent"
        self.layer.visible = True

    def hide(self) -> None:
        """Hide the layer."""
        if self.layer is not None:
            self.layer.visible = False

    def forget_layer(self) -> None:
        """Take note that the person has deleted the layer."""
        self.layer = self.stack = None
        self._is_over = False

    def clear(self) -> None:
        """Show nothing until there is something: another prediction is in use.

        A contrast that the person chose is kept, others are chosen anew.
        """
        self.stack = None
        self._limits = {d: limits for d, limits in self._limits.items() if not limits.cells}
        if self.layer is not None:
            self.layer.data = _nothing()

    def apply(self, stack: AttentionStack, choice: AttentionChoice) -> None:
        """Show a map of a stack."""
        if self.layer is None:
            return
        self.stack, self._direction = stack, choice.direction
        shown = stack.map(choice.token)
        pixel = np.asarray(placement_of(self._base)["scale"])
        scale, translate = pixel * shown.factor, pixel * np.asarray(shown.translate)
        self.layer.data = shown.values
        if not np.array_equal(self.layer.scale, scale):
            self.layer.scale = scale
        if not np.array_equal(self.layer.translate, translate):
            self.layer.translate = translate
        self._keep_contrast(stack)

    def auto_contrast(self) -> None:
        """Choose the contrast by what is shown now."""
        if self.stack is not None:
            self._limits[self._direction] = _automatic(self.stack)
            self._apply_limits()

    def _keep_contrast(self, stack: AttentionStack) -> None:
        known = self._limits.get(self._direction)
        if known is None or (known.cells and _cells(stack) > _GROWN * known.cells):
            self._limits[self._direction] = _automatic(stack)
        self._apply_limits()

    def _apply_limits(self) -> None:
        limits = self._limits[self._direction]
        if self.layer is None or tuple(self.layer.contrast_limits) == (limits.low, limits.high):
            return
        self._is_setting = True
        try:
            self.layer.contrast_limits_range = (0.0, max(2 * limits.high, limits.high + 1e-6))
            self.layer.contrast_limits = (limits.low, limits.high)
        finally:
            self._is_setting = False

    def _on_contrast(self) -> None:
        if not self._is_setting and self.layer is not None and self.stack is not None:
            low, high = self.layer.contrast_limits
            self._limits[self._direction] = _Limits(float(low), float(high), cells=0)

    def _make_layer(self) -> Image:
        layer = Image(
            _nothing(),
            name=f"Attention ({self.branch})",
            colormap=attention_colormap(self.branch),
            contrast_limits=(0, 1),
            opacity=0.7,
            interpolation2d="nearest",
            units=placement_of(self._base)["units"],
        )
        layer.events.contrast_limits.connect(self._on_contrast)
        return layer


def attention_colormap(branch: Branch) -> Colormap:
    """From dark to bright."""
    return Colormap(list(_COLORS[branch]), name=f"attention, {branch}")


def _nothing() -> NDArray[np.float32]:
    return np.full((1, 1), np.nan, np.float32)


def _cells(stack: AttentionStack) -> int:
    return int(np.isfinite(stack.values[0]).sum())


def _automatic(stack: AttentionStack) -> _Limits:
    """Two different weights between which most of the relay tokens' maps lies."""
    values = stack.values.reshape(-1)[:: max(stack.values.size // _SAMPLE, 1)]
    finite = values[np.isfinite(values)].astype(np.float32)
    if not finite.size:
        return _Limits(0.0, 1.0, cells=1)
    low, high = (float(v) for v in np.percentile(finite, _CONTRAST))
    return _Limits(low, max(high, low + 1e-6), max(_cells(stack), 1))
