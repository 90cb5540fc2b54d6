"""Running a model on single places, beside whatever else runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import (
    CropPair,
    PredictOptions,
    autocast_dtype,
    check_fit,
    choose_device,
    read_crop_pair,
)
from napari_relay.inference.devices import ready_model, require_numbers
from relay_tokens import Checkpoint, RelayOutput, UserError


class CropRunner:
    """Reads crop pairs of an image and runs a model on them.

    The model may be predicting in another thread meanwhile: it is moved only if
    it is not on the device yet, nothing is written into it, and what is recorded
    is kept in the output alone.

    Parameters
    ----------
    checkpoint
        The model.
    image
        With the bands that the model reads.
    options
        The prediction's; device and precision are taken from them.

    Raises
    ------
    UserError
        When the model has no relay tokens or does not take the image's bands,
        or there is no such device.
    """

    def __init__(
        self, checkpoint: Checkpoint, image: PyramidImage, options: PredictOptions | None = None
    ) -> None:
        options = options or PredictOptions()
        require_relay_tokens(checkpoint)
        check_fit(image, checkpoint.metadata)
        self.checkpoint, self.image = checkpoint, image
        self.device = choose_device(options.device)
        self._precision = options.precision
        self._dtype = autocast_dtype(self.device, options.precision)
        self.model = ready_model(checkpoint.model, self.device)

    def read(self, window: Window) -> CropPair:
        """What the model sees of a window; may be called in several threads."""
        return read_crop_pair(self.image, window, self.model.config, self.checkpoint.metadata)

    def tensor(self, crops: list[NDArray[np.float32]]) -> Tensor:
        """``(B, band, crop, crop)`` on the device."""
        return torch.from_numpy(np.stack(crops)).to(self.device)

    def record(self, pair: CropPair) -> RelayOutput:
        """Run one crop pair and record the attention.

        Raises
        ------
        UserError
            When memory runs out, or what comes out is no number.
        """
        assert pair.global_ is not None
        with self.running():
            output: RelayOutput = self.model(
                self.tensor([pair.local]), self.tensor([pair.global_]), record_attention=True
            )
            self.require_numbers(output.local_logits.float().softmax(dim=1))
        return output

    def require_numbers(self, soft: Tensor) -> None:
        """Refuse probabilities that overflowed, as a prediction does."""
        require_numbers(soft, self._precision, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The model's number format, no gradients, and one sentence when memory runs out."""
        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None),
            ):
                yield
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise UserError(
                f"The memory of {self.device} is full; wait until the prediction has ended, "
                "or close other programs."
            ) from error


def require_relay_tokens(checkpoint: Checkpoint) -> None:
    """Refuse a model in which nothing passes between a local and a global crop.

    Raises
    ------
    UserError
        Naming the model.
    """
    config = checkpoint.model.config
    if config.context_factor is None or config.num_relay_tokens == 0:
        raise UserError(
            f"The model {checkpoint.metadata.name} has no relay tokens that could bring it "
            "something of the wide view; choose one that has some."
        )
