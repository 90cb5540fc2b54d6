"""Running a model over batches of crop pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.inference.attention import TileAttention, split_attention
from napari_relay.inference.blending import weight_window
from napari_relay.inference.crops import CropPair
from napari_relay.inference.devices import (
    autocast_dtype,
    choose_device,
    ready_model,
    require_numbers,
)
from napari_relay.inference.header import StoreHeader
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.scales import scale_disagreement
from relay_tokens import RelayOutput, RelaySegmenter, UserError


@dataclass(frozen=True)
class CropResult:
    """What a model says of one crop pair."""

    weighted: Tensor
    """``(channel, crop, crop)``: softmax of each class and, in a model with two
    branches, their disagreement, times the blending weight; on the model's device."""
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
        self._notices: list[str] = []
        self._grid = header.grid
        self._layout = header.attention
        self._precision = options.precision
        self._dtype = autocast_dtype(self.device, options.precision)
        self._model = ready_model(model, self.device)

    def run(self, pairs: Sequence[CropPair]) -> list[CropResult]:
        """Predict crop pairs, in smaller batches from now on if memory runs out.

        Raises
        ------
        UserError
            When not even one crop pair fits into memory, or what comes out is
            no number.
        """
        results: list[CropResult] = []
        while len(results) < len(pairs):
            batch = pairs[len(results) : len(results) + self.batch_size]
            try:
                results += self._forward(batch)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(len(batch), error)
        return results

    def take_notices(self) -> tuple[str, ...]:
        """What a person should be told since the last call, one sentence each."""
        notices, self._notices = tuple(self._notices), []
        return notices

    def _halve(self, size: int, error: BaseException) -> None:
        if size == 1:
            raise UserError(
                f"One crop does not fit into the memory of {self.device}; close other programs "
                "or choose the device 'cpu'."
            ) from error
        self.batch_size = size // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        notice = f"Memory ran out on {self.device}; going on with batches of {self.batch_size}."
        self._notices.append(notice)

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[CropPair]) -> list[CropResult]:
        output = self._call(pairs)
        channels = self._channels(output)
        attention = self._attention(output, len(pairs))
        # A product of its own for each crop: a view would keep the whole batch in memory.
        return [
            CropResult(channels[k] * self.weight, pair.valid, attention[k])
            for k, pair in enumerate(pairs)
        ]

    def _call(self, pairs: Sequence[CropPair]) -> RelayOutput:
        local = self._batch([pair.local for pair in pairs])
        wide = [pair.global_ for pair in pairs if pair.global_ is not None]
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None):
            output: RelayOutput = self._model(
                local, self._batch(wide) if wide else None, self._layout is not None
            )
        return output

    def _batch(self, crops: Sequence[NDArray[np.float32]]) -> Tensor:
        batch = torch.from_numpy(np.stack(crops)).to(self.device)
        if self.device.type == "cpu" or len(crops) >= self.batch_size:
            return batch
        # A GPU chooses kernels, and so the rounding, by the size of the batch: keep it.
        fill = self.batch_size - len(crops)
        return torch.cat([batch, batch[-1:].expand(fill, -1, -1, -1)])

    def _channels(self, output: RelayOutput) -> Tensor:
        """``(B, channel, crop, crop)`` of :attr:`CropResult.weighted`, without the weight."""
        soft = output.local_logits.float().softmax(dim=1)
        require_numbers(soft, self._precision, self.device)
        if output.global_logits is None:
            return soft
        factor = self._model.config.context_factor
        assert factor is not None
        apart = scale_disagreement(soft, output.global_logits.float(), factor)
        return torch.cat([soft, apart[:, None]], dim=1)

    def _attention(self, output: RelayOutput, size: int) -> Sequence[TileAttention | None]:
        if self._layout is None or output.attention is None:
            return [None] * size
        return split_attention(output.attention, self._layout, self._grid)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    known = ("out of memory", "not enough memory", "can't allocate memory")
    is_own = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_own or any(part in text for part in known)
