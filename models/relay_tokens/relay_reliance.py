"""Where in the local crop the relay tokens are read."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.output import RelayOutput


def relay_reliance(output: RelayOutput) -> Tensor:
    """How much each local patch reads from the relay tokens.

    The attention weights of a patch on all relay tokens together, mean over
    heads and blocks. A patch that attends to all tokens alike has
    ``relay tokens / tokens`` (in Swin, of its attention window).

    Parameters
    ----------
    output
        Of a model called with ``record_attention=True``.

    Returns
    -------
    Tensor
        ``(B, rows, cols)`` in [0, 1] on the finest patch grid of the local crop;
        the coarser cells of Swin's later stages are repeated.

    Raises
    ------
    UserError
        When no attention was recorded, or there are no relay tokens.
    """
    blocks = [m.mean(dim=1).sum(dim=1) for m in output.recorded().local.patch_to_relay]
    grid = max((m.shape[1], m.shape[2]) for m in blocks)
    fine = [F.interpolate(m[:, None].float(), size=grid, mode="nearest")[:, 0] for m in blocks]
    return torch.stack(fine).mean(dim=0)
