"""Attention maps put together from the tiles of a store."""

from __future__ import annotations

from napari_relay.geometry import Window
from napari_relay.inference.attention import AttentionMap, AttentionStack, Branch
from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.attention_cells import CellReader
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_global import read_global
from napari_relay.inference.attention_local import read_local


def read_attention_map(
    arrays: AttentionArrays,
    branch: Branch,
    choice: AttentionChoice,
    window: Window | None = None,
    max_side: int = 2048,
) -> AttentionMap:
    """Attention over a window, as one map in the image's frame.

    In the local branch each cell comes from the tile it lies in. In the global
    branch it is the mean over all predicted tiles whose global crop covers it,
    on the finest grid that the cells of all tiles share. Blocks with coarser
    cells are repeated on the finest cells.

    Parameters
    ----------
    window
        Level-0 pixels; None: the whole image.
    max_side
        A larger map is thinned to at most this many cells a side, by a power of
        two: every so many-th cell of the local branch, means in the global one.

    Raises
    ------
    UserError
        When the store keeps no such block, relay token or head.
    """
    return _read(CellReader(arrays, choice), branch, window, max_side).map(0)


def read_attention_stack(
    arrays: AttentionArrays,
    branch: Branch,
    choice: AttentionChoice,
    window: Window | None = None,
    max_side: int = 2048,
) -> AttentionStack:
    """As :func:`read_attention_map`, the maps of all relay tokens at once."""
    reader = CellReader(arrays, choice, each_token=True)
    return _read(reader, branch, window, max_side)


def _read(
    reader: CellReader, branch: Branch, window: Window | None, max_side: int
) -> AttentionStack:
    image = reader.arrays.image
    wanted = image if window is None else window.intersection(image)
    read = read_local if branch == "local" else read_global
    return read(reader, wanted, max_side)
