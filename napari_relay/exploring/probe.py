"""What a model says of one place, and where it has it from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.exploring.crop_runner import CropRunner
from napari_relay.exploring.place import Place, PlaceWindows, windows_at
from napari_relay.geometry import Window, level_translate
from napari_relay.images import PyramidImage
from napari_relay.inference import AttentionMap, PredictOptions
from napari_relay.inference.scales import scale_disagreement
from relay_tokens import BranchAttention, Checkpoint, RelayOutput, context_flow


@dataclass(frozen=True)
class Probe:
    """One place as one crop pair around it shows it.

    A prediction blends several crops over a place, so that its probabilities
    differ a little from these.
    """

    place: Place
    """Which pixel, level 0."""
    local: Window
    """Window of the local crop, level-0 pixels; it may reach beyond the image."""
    global_: Window
    """Window of the global crop, level-0 pixels; it may reach beyond the image."""
    has_data: bool
    """Whether the pixel has data; if not, nothing of this means anything."""
    probabilities: NDArray[np.float32]
    """``(class,)``, sum 1: softmax at the pixel."""
    disagreement: float
    """0 ... 1: total variation distance at the pixel between what the local and the
    global branch say (:func:`~napari_relay.inference.scales.scale_disagreement`)."""
    token_reading: NDArray[np.float32]
    """``(block, relay token)`` in [0, 1]: softmax weight with which the pixel's patch
    reads each relay token, mean over heads."""
    even_reading: float
    """That weight, mean over blocks, if the patch read all it can read alike."""
    flow: AttentionMap
    """Over :attr:`global_`, on its finest patch grid, sum 1 or all 0: where in the
    wide view the context came from (:func:`~relay_tokens.context_flow`)."""
    share: float
    """0 ... 1: the part of what the pixel's patch holds in the end that came out of
    the global crop, by attention rollout."""

    @property
    def mean_reading(self) -> NDArray[np.float32]:
        """``(relay token,)``: :attr:`token_reading`, mean over blocks."""
        mean: NDArray[np.float32] = self.token_reading.mean(axis=0)
        return mean


def probe(
    checkpoint: Checkpoint,
    image: PyramidImage,
    place: Place,
    options: PredictOptions | None = None,
) -> Probe:
    """Look at one place with a model, recording what it reads.

    For a worker thread; the same model may be predicting in another one.

    Parameters
    ----------
    checkpoint
        A model with relay tokens; it is put on the device if it is not there,
        else unchanged.
    image
        With the bands that the model reads.
    place
        Level-0 pixel.
    options
        The prediction's: device and precision are taken from them.

    Returns
    -------
    Probe
        Of one crop pair whose local window is :func:`windows_at`'s.

    Raises
    ------
    UserError
        When the place is outside the image, the model has no relay tokens or
        does not fit the image, or the image can no longer be read.
    """
    runner = CropRunner(checkpoint, image, options)
    windows = windows_at(place, image, runner.model)
    pair = runner.read(windows.local)
    output = runner.record(pair)
    with torch.inference_mode():
        row, col = windows.pixel
        soft = output.local_logits.float().softmax(dim=1)
        reading, even = _token_reading(output, windows.pixel)
        flow, share = _flow(output, windows)
        return Probe(
            place,
            windows.local,
            windows.global_,
            bool(pair.valid[row, col]),
            soft[0, :, row, col].cpu().numpy(),
            _disagreement(output, soft, windows),
            reading,
            even,
            flow,
            share,
        )


def _disagreement(output: RelayOutput, soft: Tensor, windows: PlaceWindows) -> float:
    assert output.global_logits is not None
    factor = windows.global_.height // windows.local.height
    apart = scale_disagreement(soft, output.global_logits.float(), factor)
    return float(apart[0, windows.pixel[0], windows.pixel[1]])


def _flow(output: RelayOutput, windows: PlaceWindows) -> tuple[AttentionMap, float]:
    found = context_flow(output, windows.pixel)
    values: NDArray[np.float32] = found.map.float().cpu().numpy()
    wide = windows.global_
    cell = wide.height / values.shape[0]
    first = level_translate(cell)
    return AttentionMap(values, cell, (wide.y0 + first, wide.x0 + first)), found.share


def _token_reading(
    output: RelayOutput, pixel: tuple[int, int]
) -> tuple[NDArray[np.float32], float]:
    """Weights ``(block, relay token)`` of the pixel's patch, and that of an even reader."""
    branch = output.recorded().local
    crop = output.local_logits.shape[2]
    weights = []
    for block in branch.patch_to_relay:
        row, col = (p * side // crop for p, side in zip(pixel, block.shape[3:], strict=True))
        weights.append(block[0, :, :, row, col].float().mean(dim=0))
    return torch.stack(weights).cpu().numpy(), _even_reading(branch)


def _even_reading(branch: BranchAttention) -> float:
    """Mean over blocks of 1 / (patches of an attention window + relay tokens)."""
    windows = branch.windows or (1,) * len(branch.patch_to_relay)
    shares = []
    for block, count in zip(branch.patch_to_relay, windows, strict=True):
        tokens, rows, cols = block.shape[2:]
        shares.append(1 / (rows * cols / count + tokens))
    return float(np.mean(shares))
