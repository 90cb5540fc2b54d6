"""Running a model over batches of crop pairs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.inference.attention import TileAttention, split_attention
from napari_relay.inference.blending import weight_window
from napari_relay.inference.crops import CropPair
from napari_relay.inference.devices import autocast_dtype, choose_device
from napari_relay.inference.header import StoreHeader
from napari_relay.inference.options import PredictOptions
from relay_tokens import RelayOutput, RelaySegmenter, UserError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CropResult:
    """What a model says of one crop pair."""

    weighted: Tensor
    """``(class, crop, crop)``: softmax times the blending weight, on the model's device."""
    valid: NDArray[np.bool_]
    """``(crop, crop)``: inside the image and not nodata."""
    attention: TileAttention | None
    """None when it is not kept."""


class Forwarder:
    """A model on its device; puts it there and into eval mode."""

    def __init__(self, model: RelaySegmenter, header: StoreHeader, options: PredictOptions) -> None:
        self.device = choose_device(options.device)
        self.batch_size = options.batch_size
        self.weight = weight_window(header.grid, self.device)
        self._grid = header.grid
        self._layout = header.attention
        self._dtype = autocast_dtype(self.device, options.precision)
        self._model = model.to(self.device).eval()

    def run(self, pairs: Sequence[CropPair]) -> list[CropResult]:
        """Predict crop pairs, in smaller batches from now on if memory runs out.

        Raises
        ------
        UserError
            When not even one crop pair fits into memory.
        """
        results: list[CropResult] = []
        while len(results) < len(pairs):
            batch = pairs[len(results) : len(results) + self.batch_size]
            try:
                results += self._forward(batch)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(len(batch), error)
        return results

    def _halve(self, size: int, error: BaseException) -> None:
        if size == 1:
            raise UserError(
                f"One crop does not fit into the memory of {self.device}; close other programs "
                "or choose the device 'cpu'."
            ) from error
        self.batch_size = size // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        _LOG.warning("Out of memory on %s: batches of %d now", self.device, self.batch_size)

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[CropPair]) -> list[CropResult]:
        local = self._batch([pair.local for pair in pairs])
        wide = [pair.global_ for pair in pairs if pair.global_ is not None]
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            output = self._call(local, self._batch(wide) if wide else None)
        weighted = output.local_logits.float().softmax(dim=1) * self.weight
        attention = self._attention(output, len(pairs))
        return [
            CropResult(*parts)
            for parts in zip(weighted, [pair.valid for pair in pairs], attention, strict=True)
        ]

    def _call(self, local: Tensor, wide: Tensor | None) -> RelayOutput:
        output: RelayOutput = self._model(local, wide, self._layout is not None)
        return output

    def _batch(self, crops: Sequence[NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack(crops)).to(self.device)

    def _attention(self, output: RelayOutput, size: int) -> Sequence[TileAttention | None]:
        if self._layout is None or output.attention is None:
            return [None] * size
        return split_attention(output.attention, self._layout, self._grid)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    known = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(part in text for part in known)
