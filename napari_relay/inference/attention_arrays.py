"""Attention over the whole image, on disk."""

from __future__ import annotations

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.attention import BRANCHES, AttentionLayout, TileAttention
from napari_relay.inference.chunks import ChunkWriter, StoredArray
from napari_relay.inference.levels import (
    Channels,
    TilePyramid,
    create_array,
    create_levels,
    open_array,
    open_group,
)
from napari_relay.inference.ome_metadata import Placement, describe_attention
from napari_relay.inference.sharding import cell_sharding


def create_attention(
    group: zarr.Group, layout: AttentionLayout, grid: TileGrid, placement: Placement
) -> None:
    """Make the empty arrays ``attention/<branch>/<patch stride>``, ``(channel, y, x)``.

    In the local branch they are pyramids of the patches' cells over the image.
    In the global branch they are mosaics of the tiles' whole global crops, side
    by side, and no picture of the image.
    """
    for branch in BRANCHES:
        for stride in layout.groups:
            cells = layout.cells(branch, stride, grid)
            channels = Channels(layout.channel_count(stride), layout.num_tokens)
            rows, cols = (count * cells for count in grid.shape)
            sharding = cell_sharding(grid.stride, cells)
            path = f"attention/{branch}"
            if branch == "global":
                folder = group.require_group(path)
                shape = rows, cols
                create_array(folder, str(stride), shape, sharding, np.nan, "float16", channels)
            else:
                folder = group.create_group(f"{path}/{stride}")
                count = create_levels(folder, (rows, cols), sharding, np.nan, "float16", channels)
                describe_attention(folder, count, stride, placement)


class AttentionArrays:
    """The attention arrays of a store, for writing tiles and reading maps."""

    def __init__(self, group: zarr.Group, layout: AttentionLayout, grid: TileGrid) -> None:
        self.layout = layout
        self.grid = grid
        self.local: dict[int, TilePyramid] = {}
        self.wide: dict[int, StoredArray] = {}
        for stride in layout.groups:
            folder = open_group(group, f"attention/local/{stride}")
            self.local[stride] = TilePyramid(folder, in_memory=False)
            self.wide[stride] = StoredArray(open_array(group, f"attention/global/{stride}"))
        self._writers = {stride: ChunkWriter(array) for stride, array in self.wide.items()}

    def write(self, index: tuple[int, int], attention: TileAttention) -> None:
        """Put the attention of tile ``index``; on disk after :meth:`flush`."""
        self._write_global(index, attention)
        for stride, pyramid in self.local.items():
            pyramid.write(self._cells(index, stride), attention["local", stride])

    def write_level0(self, index: tuple[int, int], attention: TileAttention) -> None:
        """As :meth:`write`, for another process to :meth:`absorb`."""
        self._write_global(index, attention)
        for stride, pyramid in self.local.items():
            pyramid.write_level0(self._cells(index, stride), attention["local", stride])

    def _write_global(self, index: tuple[int, int], attention: TileAttention) -> None:
        for stride, writer in self._writers.items():
            values: NDArray[np.float16] = attention["global", stride]
            writer.write(index[0] * values.shape[-2], index[1] * values.shape[-1], values)

    def _cells(self, index: tuple[int, int], stride: int) -> Window:
        side = self.layout.cells("local", stride, self.grid)
        return Window(index[0] * side, index[1] * side, side, side)

    def absorb(self, window: Window) -> None:
        """Bring the pyramids up to date in a window of whole tiles, in pixels."""
        for writer in self._writers.values():
            writer.forget()
        for stride, pyramid in self.local.items():
            y, x = window.y0 // stride, window.x0 // stride
            rows, cols = -(-window.y1 // stride) - y, -(-window.x1 // stride) - x
            pyramid.absorb(Window(y, x, rows, cols))

    def reload(self) -> None:
        """Take note of what another process may have written."""
        for pyramid in self.local.values():
            pyramid.reload()
        for writer in self._writers.values():
            writer.forget()

    def flush(self) -> None:
        """Write the changed chunks."""
        for pyramid in self.local.values():
            pyramid.flush()
        for writer in self._writers.values():
            writer.flush()

    def flush_level0(self) -> None:
        """Write the changed chunks of level 0 and keep none of them in memory."""
        for pyramid in self.local.values():
            pyramid.flush_level0()
        for writer in self._writers.values():
            writer.flush()
            writer.forget()

    @property
    def image(self) -> Window:
        """The whole image."""
        return Window(0, 0, self.grid.height, self.grid.width)
