"""How the arrays of a store are cut into chunks and files."""

from __future__ import annotations

from dataclasses import dataclass

_CHUNK = 512
_SHARD = 2048


@dataclass(frozen=True)
class Sharding:
    """Sides of the chunks and shards of an array.

    A chunk is what is compressed and read at once, a shard the file that holds
    whole chunks. Both hold whole tiles, so a tile never lies in two files and
    processes that own different shards never write the same file.
    """

    chunk: int
    """Side of a chunk, in cells of the array."""
    shard: int
    """Side of a shard, in cells of the array; a multiple of :attr:`chunk`."""


def pixel_sharding(stride: int) -> Sharding:
    """Chunks of about 512 px and shards of about 2048 px, for tiles of ``stride`` px."""
    chunk = stride * max(1, round(_CHUNK / stride))
    return Sharding(chunk, chunk * max(1, round(_SHARD / chunk)))


def tiles_a_shard(stride: int) -> int:
    """Tiles on a side of a shard."""
    return pixel_sharding(stride).shard // stride


def cell_sharding(stride: int, cells: int) -> Sharding:
    """Shards of the same tiles as :func:`pixel_sharding`, for ``cells`` on a tile's side.

    A chunk is half as wide as its shard, where that holds whole tiles: cells are
    larger than pixels, and a map of the whole image reads many chunks.
    """
    tiles = tiles_a_shard(stride)
    chunk = tiles // 2 if tiles % 2 == 0 else tiles
    return Sharding(chunk * cells, tiles * cells)
