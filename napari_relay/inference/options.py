"""How a prediction is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_relay.geometry import TileGrid
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.devices import Precision
from relay_tokens import RelaySegmenter, UserError

AttentionHeads = Literal["mean", "all"]


@dataclass(frozen=True)
class PredictOptions:
    """How an image is cut into crops, and on what they run."""

    halo: int | None = None
    """Pixels by which a crop reaches beyond its tile on each side, at most a
    quarter of the crop; None: an eighth (32 px of 256), on the model's patches."""
    batch_size: int = 4
    """Crop pairs a forward pass; halved when memory runs out."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``mps`` ..."""
    attention: bool = True
    """Whether the attention of the relay tokens is kept."""
    attention_blocks: tuple[int, ...] | None = None
    """Transformer blocks whose attention is kept, from 0; negative numbers count
    from the last one. None: all."""
    attention_heads: AttentionHeads = "mean"
    """Whether the mean over a block's attention heads is kept, or each head."""
    probabilities: bool = False
    """Whether the probability of every class is kept, a byte a pixel and class."""
    skip_glass: bool = False
    """Whether tiles of a slide that show nothing but glass are left out."""
    reader_threads: int = 2
    """Threads that read the crops of the batches to come."""
    precision: Precision = "auto"
    """Number format of the forward pass; ``auto``: bfloat16 on CUDA, else float32."""
    memory: int = 512 * 2**20
    """Bytes for class probabilities that wait for their neighbours; what does
    not fit is computed again when it is needed."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size is {self.batch_size}; it must be at least 1.")
        if self.reader_threads < 1:
            raise UserError(f"reader_threads is {self.reader_threads}; it must be at least 1.")


def tile_grid(
    image: PyramidImage, model: RelaySegmenter, options: PredictOptions | None = None
) -> TileGrid:
    """The grid by which ``predict`` covers an image.

    Raises
    ------
    UserError
        When the halo is negative or more than a quarter of the crop.
    """
    crop = model.config.crop_size
    halo = options.halo if options is not None and options.halo is not None else _halo(model)
    if not 0 <= halo <= crop // 4:
        raise UserError(
            f"A halo of {halo} px does not fit crops of {crop} px; choose 0 to {crop // 4}."
        )
    return TileGrid(*image.shape, crop - 2 * halo, halo)


def _halo(model: RelaySegmenter) -> int:
    """An eighth of the crop, rounded up to whole patches where a quarter allows it."""
    crop, patch = model.config.crop_size, model.stride
    return min(math.ceil(crop / 8 / patch) * patch, crop // 4)
