"""Models without relay tokens, to compare a relay-token model with.

They are :class:`~relay_tokens.RelaySegmenter` too, of the same backbone and
head, and are trained, saved and run in the same way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.config import RelayConfig
from relay_tokens.loss import central_logits


class BaselineConfigs(NamedTuple):
    """The baselines of one relay-token model."""

    local: RelayConfig
    """Single-scale: reads the local crop, knows nothing around it."""
    global_: RelayConfig
    """Single-scale on the global crop: sees all around, ``context_factor`` times
    coarser. Its local logits are the upsampled middle of what it says, and its
    loss is their cross-entropy alone."""
    fusion: RelayConfig
    """Two branches that know nothing of each other, and the sum of their logits:
    local, and the upsampled middle of the global ones. The loss is the relay
    model's, its local term that of the sum."""


def baseline_configs(config: RelayConfig) -> BaselineConfigs:
    """Baselines with the backbone, crops and classes of ``config``.

    Parameters
    ----------
    config
        A model of two scales.

    Raises
    ------
    UserError
        When ``config`` has no ``context_factor``.
    """
    plain = replace(config, num_relay_tokens=0)
    return BaselineConfigs(
        replace(plain, mode="relay", context_factor=None),
        replace(plain, mode="global"),
        replace(plain, mode="fusion"),
    )


def upsampled_centre(global_logits: Tensor, context_factor: int) -> Tensor:
    """Bring the global crop's logits to the local crop, at its resolution.

    Parameters
    ----------
    global_logits
        ``(B, class, rows, cols)`` over the global crop.
    context_factor
        Side of the global window over that of the local one.

    Returns
    -------
    Tensor
        ``(B, class, rows, cols)`` over the local crop, bilinear between the
        middles of the global crop's pixels.
    """
    centre = central_logits(global_logits, context_factor)
    size = (global_logits.shape[2], global_logits.shape[3])
    return F.interpolate(centre, size=size, mode="bilinear", align_corners=False)
