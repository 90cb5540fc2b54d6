"""Recording the attention of timm's own blocks, whatever they do around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)
from torch.overrides import TorchFunctionMode

from relay_tokens.attention import RecordedAttention, attend_recording


class RecordingMode(TorchFunctionMode):
    """While entered, fused attention also keeps the rows and columns of some tokens.

    The blocks of timm's transformer families differ in how they make queries and
    keys (biases, norms, rotary embeddings, grouped heads) and in what follows the
    attention (norms, gates), but all end in one call of
    ``scaled_dot_product_attention``. That call is taken over here, so what is
    recorded is what the block computes, in every family.

    Parameters
    ----------
    marked
        The tokens whose rows and columns are recorded.
    calls
        What is recorded is added to it, one call of attention after the other.
    """

    def __init__(self, marked: slice, calls: list[RecordedAttention]) -> None:
        super().__init__()
        self.marked = marked
        self.calls = calls

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take over attention calls; let all others pass."""
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        q, k, v = args
        return self._attend(q, k, v, kwargs.get("attn_mask"))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Attend as timm asks for it: ``(B, head, token, channel)``, default scale."""
        seen = attend_recording(q, k, v, self.marked, q.shape[-1] ** -0.5, bias)
        self.calls.append(seen)
        return seen.mixed
