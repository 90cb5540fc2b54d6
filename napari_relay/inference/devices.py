"""Where a model runs, and in which number format."""

from __future__ import annotations

import os
import sys
import threading
from typing import Literal

import torch
from torch import Tensor

from relay_tokens import RelaySegmenter
from relay_tokens.errors import UserError

Precision = Literal["auto", "float32", "bfloat16", "float16"]

PLACING = threading.Lock()
"""Held while a model moves: half of its weights are on either device then."""


def choose_device(name: str = "auto") -> torch.device:
    """Turn a name into a device that is there.

    Parameters
    ----------
    name
        ``auto`` (the fastest there is), or ``cpu``, ``cuda``, ``cuda:1``,
        ``mps`` ...

    Raises
    ------
    UserError
        When there is no such device.
    """
    if name == "auto":
        return torch.device(_fastest())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"There is no device {name!r} here; choose 'auto', which takes {_fastest()!r}."
        ) from error
    return device


def _fastest() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def autocast_dtype(device: torch.device, precision: Precision = "auto") -> torch.dtype | None:
    """Number format of the forward pass; None: the model's own, float32.

    ``auto`` is bfloat16 on a CUDA device and float32 elsewhere.
    """
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else None
    formats = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in formats:
        raise UserError(f"precision is {precision!r}; it must be auto or {', '.join(formats)}.")
    return formats[precision]


def ready_model(model: RelaySegmenter, device: torch.device) -> RelaySegmenter:
    """Put a model on a device and into eval mode; one that is there already is left alone.

    May be called while another thread runs the model on that device, or makes
    the same call: it returns when all weights are there.

    Parameters
    ----------
    model
        The model; changed in place.
    device
        From :func:`choose_device`.

    Returns
    -------
    RelaySegmenter
        ``model``.
    """
    with PLACING:
        weight = next(model.parameters(), None)
        if weight is None or weight.to(device) is not weight:
            model.to(device)
        if model.training:
            model.eval()
    return model


def require_numbers(soft: Tensor, precision: Precision, device: torch.device) -> None:
    """Refuse class probabilities that are no numbers.

    Raises
    ------
    UserError
        Naming a precision that does not overflow.
    """
    if not bool(torch.isfinite(soft.sum())):
        raise UserError(
            f"The model's numbers overflow in {precision} on {device}; "
            "choose the precision bfloat16 or float32."
        )


def share_interpreter() -> None:
    """Let threads hand over Python's lock every 0.2 ms, not 5.

    To be called once by a program; it holds for the process. The model needs the
    lock for each of its many short steps, and the window for each event, while
    other threads read and write.
    """
    sys.setswitchinterval(2e-4)


def reserve_gui_core() -> None:
    """Let torch use one core less than there are (at least one).

    To be called once by a program with a window; it holds for the process.
    """
    torch.set_num_threads(max((os.cpu_count() or 1) - 1, 1))


def stand_back(nice: int = 10) -> None:
    """Let the calling thread, and those that it starts, work where others leave time.

    A window must not wait for a processor until a background thread's turn is over. Linux
    alone counts priorities thread by thread; elsewhere this does nothing.

    Parameters
    ----------
    nice
        Higher is more patient; as for the command ``nice``, 0 to 19.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
