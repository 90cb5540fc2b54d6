"""Attention maps as OME-Zarr."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.whole import whole_folder
from napari_relay.geometry import Window, level_translate
from napari_relay.inference import PredictionStore
from napari_relay.inference.attention import AttentionStack, Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_maps import read_attention_stack
from napari_relay.inference.chunks import COMPRESSOR
from napari_relay.inference.ome_metadata import describe_channels, describe_levels
from relay_tokens import UserError

_CHUNK = 512
_COARSEST = 1024
_STRIP = 512
_ATTRIBUTE = "napari_relay_attention"
_COLORS = ("FFFFFF", "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7")


@dataclass(frozen=True)
class _Plan:
    """Which cells are written, and where they lie."""

    window: Window
    """Level-0 pixels that are covered."""
    cell: int
    """Level-0 pixels a cell."""
    origin: tuple[int, int]
    """Level-0 ``(row, col)`` with which the first cell begins; at or before the window."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return (
            math.ceil((self.window.y1 - self.origin[0]) / self.cell),
            math.ceil((self.window.x1 - self.origin[1]) / self.cell),
        )

    def strip(self, first: int, last: int) -> Window:
        """The part of the window under rows ``first ... last - 1`` of cells."""
        y0 = max(self.origin[0] + first * self.cell, self.window.y0)
        y1 = min(self.origin[0] + last * self.cell, self.window.y1)
        return self.window._replace(y0=y0, height=y1 - y0)


def export_attention(
    store: PredictionStore,
    branch: Branch,
    choice: AttentionChoice,
    path: str | Path,
    window: Window | None = None,
) -> Iterator[ExportProgress]:
    """Write attention maps as an OME-Zarr 0.5 image with levels, whole or not at all.

    The axes are ``(c, y, x)``: the mean of the relay tokens, then each of them.
    Cells are softmax weights in [0, 1], ``float32``; NaN where nothing is
    predicted. Coarser levels are means. Scale and translation are in the
    image's unit, so the maps lie over it to the half pixel.

    Parameters
    ----------
    choice
        Which attention. Its relay token only says which channel is shown first.
    path
        The folder to write; there must be nothing.
    window
        Level-0 pixels; None: all that is predicted, and the rectangle around it.

    Yields
    ------
    ExportProgress
        After each part. When the iteration is given up before the last one,
        nothing is left behind.

    Raises
    ------
    UserError
        When nothing is predicted, the store keeps no such attention, or the
        folder cannot be written.
    """
    path = Path(path)
    wanted = predicted_window(store) if window is None else window
    wanted = wanted.intersection(Window(0, 0, *store.shape))
    if not wanted.area:
        raise UserError("Nothing is predicted here: predict it, then save its attention.")
    plan = _plan(store, branch, choice, wanted)
    starts = range(0, plan.shape[0], _STRIP)
    with whole_folder(path) as scratch:
        group = zarr.create_group(scratch)
        levels = _create(group, plan, store)
        for done, first in enumerate(starts):
            yield ExportProgress(path, done, len(starts) + 1)
            last = min(first + _STRIP, plan.shape[0])
            stack = _read(store, branch, choice, plan.strip(first, last))
            levels[0][:, first:last] = _channels(stack)
        for finer, coarser in pairwise(levels):
            _halve(finer, coarser)
        _describe(group, store, branch, choice, plan, len(levels))
    yield ExportProgress(path, len(starts) + 1, len(starts) + 1)


def predicted_window(store: PredictionStore) -> Window:
    """The rectangle around all that is predicted, in level-0 pixels; empty when nothing is."""
    rows, cols = np.nonzero(store.finished)
    if not rows.size:
        return Window(0, 0, 0, 0)
    first, last = (store.grid.tile(int(edge(rows)), int(edge(cols))) for edge in (np.min, np.max))
    return Window(first.y0, first.x0, last.y1 - first.y0, last.x1 - first.x0)


def _plan(store: PredictionStore, branch: Branch, choice: AttentionChoice, window: Window) -> _Plan:
    corner = _read(store, branch, choice, window._replace(height=1, width=1))
    middle = level_translate(corner.factor)
    y0, x0 = (round(place - middle) for place in corner.translate)
    return _Plan(window, round(corner.factor), (y0, x0))


def _read(
    store: PredictionStore, branch: Branch, choice: AttentionChoice, window: Window
) -> AttentionStack:
    whole = max(store.shape)  # nothing is thinned
    return read_attention_stack(store.attention, branch, choice, window, max_side=whole)


def _channels(stack: AttentionStack) -> NDArray[np.float32]:
    return np.concatenate([stack.map(None).values[None], stack.values])


def _create(group: zarr.Group, plan: _Plan, store: PredictionStore) -> list[zarr.Array[Any]]:
    count, sides = store.attention.layout.num_tokens + 1, plan.shape
    levels: list[zarr.Array[Any]] = []
    while True:
        levels.append(
            group.create_array(
                str(len(levels)),
                shape=(count, *sides),
                chunks=(1, _CHUNK, _CHUNK),
                dtype="float32",
                fill_value=np.nan,
                compressors=COMPRESSOR,
                dimension_names=("c", "y", "x"),
            )
        )
        if max(sides) <= _COARSEST:
            return levels
        sides = math.ceil(sides[0] / 2), math.ceil(sides[1] / 2)


def _halve(finer: zarr.Array[Any], coarser: zarr.Array[Any]) -> None:
    """Write means of two by two cells, of those that are predicted."""
    for first in range(0, coarser.shape[1], _STRIP):
        part = np.asarray(finer[:, 2 * first : 2 * (first + _STRIP)])
        missing = [(0, 0), (0, part.shape[1] % 2), (0, part.shape[2] % 2)]
        even = np.pad(part, missing, constant_values=np.nan)
        blocks = even.reshape(len(even), even.shape[1] // 2, 2, even.shape[2] // 2, 2)
        counts = np.isfinite(blocks).sum(axis=(2, 4))
        sums = np.nansum(blocks, axis=(2, 4))
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        coarser[:, first : first + means.shape[1]] = means


def _describe(
    group: zarr.Group,
    store: PredictionStore,
    branch: Branch,
    choice: AttentionChoice,
    plan: _Plan,
    count: int,
) -> None:
    name = f"{branch} attention of {store.header.image_name}"
    describe_levels(
        group,
        name,
        count,
        store.header.placement,
        channels=True,
        cell=plan.cell,
        origin=plan.origin,
        coarser="mean",
    )
    tokens = store.attention.layout.num_tokens
    names = ["mean of the relay tokens", *(f"relay token {k + 1}" for k in range(tokens))]
    shown = 0 if choice.token is None else choice.token + 1
    colors = [_COLORS[k % len(_COLORS)] for k in range(len(names))]
    describe_channels(group, list(zip(names, colors, strict=True)), (0.0, 1.0), shown)
    group.attrs[_ATTRIBUTE] = {
        "image": store.header.image_name,
        "model": store.header.model_name,
        "branch": branch,
        "direction": choice.direction,
        "blocks": list(store.attention.layout.members(choice.block)),
        "head": choice.head,
        "window": list(plan.window),
        "level0_pixels_a_cell": plan.cell,
    }
