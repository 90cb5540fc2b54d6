"""Low-rank adapters for the linear layers of a model, merged into its weights at the end.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022: instead of a
weight ``W`` (out, in) two thin matrices are learnt, ``W + U D`` with ``D`` (rank, in) and
``U`` (out, rank). A module of its own: the library for it, peft, would bring transformers
and accelerate, several hundred megabytes, for these few lines.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

RANK = 8
"""Of every adapter."""


class AdaptedLinear(nn.Linear):
    """A linear layer with an adapter; it begins as the layer itself.

    Parameters
    ----------
    layer
        Its weight and bias are shared and do not learn.
    rank
        Rows of ``down`` and columns of ``up``.
    """

    def __init__(self, layer: nn.Linear, rank: int = RANK) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.down = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.up = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, tokens: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        return super().forward(tokens) + F.linear(F.linear(tokens, self.down), self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The plain layer that does the same."""
        layer = nn.Linear(self.in_features, self.out_features, self.bias is not None, "meta")
        layer.weight = nn.Parameter(self.weight + self.up @ self.down)
        layer.bias = self.bias
        return layer


def adapt_linears(model: nn.Module, called: set[nn.Module], rank: int = RANK) -> list[Tensor]:
    """Put adapters on linear layers.

    Parameters
    ----------
    model
        Changed in place.
    called
        Layers that may get one. A layer whose weight another module reads without
        calling it, as SwinV2 does for queries, keys and values, would ignore it.
    rank
        Of the adapters.

    Returns
    -------
    list of Tensor
        What learns.
    """
    chosen = [(p, n, c) for p in model.modules() for n, c in p.named_children() if c in called]
    learning: list[Tensor] = []
    for parent, name, layer in chosen:
        if type(layer) is nn.Linear:
            adapted = AdaptedLinear(layer, rank)
            setattr(parent, name, adapted)
            learning += [adapted.down, adapted.up]
    return learning


def merge_adapters(model: nn.Module) -> None:
    """Turn all adapted layers into plain ones that do the same, in place."""
    for parent in list(model.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, AdaptedLinear):
                setattr(parent, name, layer.merged())


def called_linears(model: nn.Module, *inputs: Tensor | None) -> set[nn.Module]:
    """Linear layers that a forward pass calls."""
    seen: set[nn.Module] = set()
    hooks = [
        module.register_forward_hook(lambda layer, _inputs, _output: seen.add(layer))
        for module in model.modules()
        if type(module) is nn.Linear
    ]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return seen
