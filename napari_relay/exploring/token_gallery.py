"""What each relay token looks for: its mean patterns, and the places that excite it most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_relay.exploring.strongest import Strongest
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.inference.attention import BRANCHES, Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_tiles import read_attention_tiles
from napari_relay.inference.sharding import tiles_a_shard
from relay_tokens import UserError


@dataclass(frozen=True)
class GalleryOptions:
    """How a gallery is made."""

    places: int = 10
    """Most places of each relay token."""
    most_tiles: int = 200_000
    """Of larger predictions about as many tiles are looked at, in evenly spread blocks."""


@dataclass(frozen=True)
class TokenPlace:
    """A place that excites a relay token."""

    window: Window
    """Level-0 pixels: as many as a local crop has, with the place in the middle."""
    value: float
    """The attention there, a softmax weight in [0, 1]."""


@dataclass(frozen=True)
class TokenPattern:
    """What one relay token looks for."""

    token: int
    """Which, from 0."""
    patterns: dict[Branch, NDArray[np.float32]]
    """Mean attention of each branch, ``(rows, cols)`` of patches: over a tile's own
    area in the local branch, over the whole global crop in the global one."""
    places: tuple[TokenPlace, ...]
    """Where the attention of the local branch is strongest, one crop or more apart."""


@dataclass(frozen=True)
class TokenGallery:
    """What every relay token looks for."""

    choice: AttentionChoice
    """Which attention was looked at."""
    tokens: tuple[TokenPattern, ...]
    """The relay tokens in order."""
    seen: int
    """Tiles that were looked at."""
    predicted: int
    """Tiles that there are."""
    cell: int
    """Pixels of the local crop a patch."""


@dataclass(frozen=True)
class GalleryProgress:
    """How far a gallery is."""

    done: int
    """Tiles that were looked at."""
    total: int
    """Tiles that will be looked at."""
    gallery: TokenGallery | None = None
    """The gallery, with the last of them."""


def token_gallery(
    store: PredictionStore, choice: AttentionChoice, options: GalleryOptions | None = None
) -> Iterator[GalleryProgress]:
    """Look through a prediction for what its relay tokens look for.

    Memory does not grow with the prediction. Every tile that is looked at
    counts alike in the patterns, and offers its strongest patch as a place;
    patches whose middle is outside the image are left out.

    Parameters
    ----------
    choice
        Which attention; its relay token does not count.

    Yields
    ------
    GalleryProgress
        After each block of tiles; the last one has the gallery.

    Raises
    ------
    UserError
        When nothing is predicted, or the store keeps no such attention.
    """
    options = options or GalleryOptions()
    finished = store.finished  # of now: a prediction may be running
    blocks = _blocks(finished, tiles_a_shard(store.grid.stride), options.most_tiles)
    predicted, total = int(finished.sum()), sum(count for _, count in blocks)
    if not predicted:
        raise UserError(
            "Nothing is predicted yet: predict what is in view, then look at its relay tokens."
        )
    sums = _Sums(store, choice, options)
    for block, _ in blocks:
        sums.add(block, finished[block.slices])
        last = sums.seen == total
        yield GalleryProgress(sums.seen, total, sums.gallery(predicted) if last else None)


def _blocks(finished: NDArray[np.bool_], shard: int, most: int) -> list[tuple[Window, int]]:
    """Rectangles of tiles, each read at once, with how many of its tiles are predicted."""
    (rows, cols), side = finished.shape, max(shard // 2, 1)
    blocks = []
    for y0 in range(0, rows, side):
        for x0 in range(0, cols, side):
            block = Window(y0, x0, min(side, rows - y0), min(side, cols - x0))
            count = int(finished[block.slices].sum())
            if count:
                blocks.append((block, count))
    share = most / max(sum(count for _, count in blocks), 1)
    if share >= 1:
        return blocks
    kept = max(round(share * len(blocks)), 1)
    return [blocks[k] for k in np.linspace(0, len(blocks) - 1, kept).round().astype(int)]


@dataclass
class _Sums:
    """What is known after some tiles."""

    store: PredictionStore
    choice: AttentionChoice
    options: GalleryOptions
    seen: int = 0
    totals: dict[Branch, NDArray[np.float64]] = field(default_factory=dict)
    strongest: list[Strongest] = field(default_factory=list)

    def add(self, block: Window, finished: NDArray[np.bool_]) -> None:
        """Look at the finished ones of a rectangle of tiles."""
        for branch in BRANCHES:
            cells = read_attention_tiles(self.store.attention, branch, self.choice, block)
            tiles = cells[:, finished]
            sums = tiles.sum(axis=1, dtype=np.float64)
            self.totals[branch] = self.totals.get(branch, 0) + sums
            if branch == "local":
                self._add_places(tiles, np.argwhere(finished) + block[:2])
        self.seen += int(finished.sum())

    def _add_places(self, tiles: NDArray[np.float32], positions: NDArray[np.intp]) -> None:
        """Offer the strongest patch of each tile: ``(token, tile, y, x)`` at ``(tile, 2)``."""
        grid, side = self.store.grid, tiles.shape[-1]
        middles = (np.arange(side) + 0.5) * (grid.stride / side) - 0.5
        rows, cols = (positions[:, k, None] * grid.stride + middles for k in (0, 1))
        inside = (rows < grid.height)[:, :, None] & (cols < grid.width)[:, None, :]
        values = np.where(inside, tiles, -np.inf).reshape(*tiles.shape[:2], -1)
        best, order = values.argmax(axis=-1), np.arange(len(positions))
        for token, strongest in enumerate(self._kept(len(tiles))):
            y, x = np.divmod(best[token], side)
            places = np.stack([rows[order, y], cols[order, x]], axis=1)
            found = values[token, order, best[token]]
            there = np.isfinite(found)
            strongest.add(found[there], places[there])

    def _kept(self, tokens: int) -> list[Strongest]:
        grid = self.store.grid
        while len(self.strongest) < tokens:
            kept = Strongest(self.options.places, grid.crop_size, grid.stride)
            self.strongest.append(kept)
        return self.strongest

    def gallery(self, predicted: int) -> TokenGallery:
        """What was found."""
        crop = self.store.grid.crop_size
        patterns = {b: (t / self.seen).astype(np.float32) for b, t in self.totals.items()}
        tokens = tuple(
            TokenPattern(
                token,
                {branch: pattern[token] for branch, pattern in patterns.items()},
                tuple(TokenPlace(_around(*where, crop), value) for value, where in found.take()),
            )
            for token, found in enumerate(self.strongest)
        )
        cell = self.store.grid.stride // patterns["local"].shape[-1]
        return TokenGallery(self.choice, tokens, self.seen, predicted, cell)


def _around(row: float, col: float, side: int) -> Window:
    """The window of ``side`` pixels with its middle as near as it goes to a place."""
    return Window(round(row - (side - 1) / 2), round(col - (side - 1) / 2), side, side)
