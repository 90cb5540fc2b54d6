"""How far a model's two branches are apart."""

from __future__ import annotations

from torch import Tensor

from relay_tokens.baselines import upsampled_centre


def scale_disagreement(soft: Tensor, global_logits: Tensor, context_factor: int) -> Tensor:
    """Total variation distance between what the two branches say of each pixel.

    ``½ · Σ_class |p_local − p_global|``, where ``p_global`` is the softmax of the
    global logits' centre, brought to the local crop bilinearly between pixel
    middles. 0: the branches agree; 1: no class is possible for both. (Levin,
    Peres and Wilmer, "Markov Chains and Mixing Times", proposition 4.2.)

    Parameters
    ----------
    soft
        ``(B, class, rows, cols)``: softmax over the local crop.
    global_logits
        ``(B, class, rows, cols)`` over the global crop.
    context_factor
        Side of the global window over that of the local one.

    Returns
    -------
    Tensor
        ``(B, rows, cols)`` over the local crop, 0 ... 1.
    """
    other = upsampled_centre(global_logits, context_factor).softmax(dim=1)
    return (other.sub_(soft).abs_().sum(dim=1) * 0.5).clamp_(max=1)
