"""The check that an exported model computes what the model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relay_tokens.errors import UserError
from relay_tokens.interchange.traced import LogitsOfCrops, random_crops

TOLERANCE = 1e-4
"""Largest difference of a logit, over the largest logit where that is beyond 1."""
BATCHES = (1, 3)
"""Sizes of the batches that are compared; none is the one that was traced."""

Run = Callable[[tuple[Tensor, ...]], Sequence[NDArray[np.float32]]]
"""Crops, each ``(B, band, crop, crop)``, to logits, each ``(B, class, crop, crop)``."""


@torch.no_grad()
def require_sameness(model: LogitsOfCrops, run: Run, what: str) -> None:
    """Compare what was written with the model, on noise.

    Parameters
    ----------
    model
        What was exported.
    run
        Runs what was read back from the file.
    what
        What was exported, as the start of a sentence.

    Raises
    ------
    UserError
        When a logit differs by more than :data:`TOLERANCE`.
    """
    for batch in BATCHES:
        crops = random_crops(model.model.config, batch)
        expected = [logits.numpy() for logits in model(*crops)]
        worst = largest_difference(run(crops), expected)
        if not worst <= TOLERANCE:
            raise UserError(
                f"{what} computes other numbers than the model (off by {worst:.2g}) and was "
                "not kept; export it to another format, or with other versions of torch and onnx."
            )


def largest_difference(
    found: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]
) -> float:
    """Largest absolute difference, over the largest expected value where that is beyond 1.

    Infinite where the number or the shapes of the arrays differ.
    """
    if [f.shape for f in found] != [e.shape for e in expected]:
        return float("inf")
    return max(
        float(np.abs(f - e).max() / max(1.0, float(np.abs(e).max())))
        for f, e in zip(found, expected, strict=True)
    )
