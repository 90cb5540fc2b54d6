"""Models as programs of torch.export (``.pt2``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, export

from relay_tokens.checkpoint import CONFIG, Checkpoint, describe_checkpoint
from relay_tokens.interchange.sameness import require_sameness
from relay_tokens.interchange.traced import LogitsOfCrops, trace


def write_program(checkpoint: Checkpoint, path: Path) -> None:
    """Write a model as a program that ``torch.export.load`` reads, without this package.

    It takes ``local`` and ``global``, each ``(B, band, crop, crop)``, normalised as
    the metadata says, and returns the logits of each branch ``(B, class, crop,
    crop)``, for any ``B``. The file ``config.json`` within it describes the model.

    Parameters
    ----------
    checkpoint
        The model.
    path
        Ends in ``.pt2``; written over.

    Raises
    ------
    UserError
        When what was written does not compute the same numbers.
    """
    model = LogitsOfCrops(checkpoint.model)
    described = {CONFIG: describe_checkpoint(checkpoint)}
    export.save(trace(model), path, extra_files=described)
    program = export.load(path).module()

    def run(crops: tuple[Tensor, ...]) -> list[NDArray[np.float32]]:
        return [logits.numpy() for logits in program(*crops)]

    require_sameness(model, run, f"The program of {checkpoint.metadata.name}")
