"""Attention maps of one place, kept in memory so that a person can switch between them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from napari_relay.geometry import Window
from napari_relay.inference.attention import DIRECTIONS, AttentionLayout, AttentionStack, Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_maps import read_attention_stack
from napari_relay.inference.store import PredictionStore

_BUDGET = 256 * 2**20


@dataclass(frozen=True)
class AttentionRequest:
    """Maps of all relay tokens over a window."""

    branch: Branch
    """Over the patches of the local or of the global crops."""
    choice: AttentionChoice
    """Which attention; its relay token does not count."""
    window: Window
    """Level-0 pixels."""
    max_side: int = 1280
    """Larger maps are thinned to at most this many cells a side."""

    def of(self, choice: AttentionChoice) -> AttentionRequest:
        """The same place, another attention."""
        return replace(self, choice=choice._replace(token=None))


class AttentionCache:
    """Maps that were read from a store; what was used longest ago goes first.

    One thread may read while another one looks for what is there.

    Parameters
    ----------
    store
        Keeps attention.
    budget
        Bytes of maps, half precision.
    """

    def __init__(self, store: PredictionStore, budget: int = _BUDGET) -> None:
        self.store = store
        self._budget = budget
        self._kept: OrderedDict[AttentionRequest, AttentionStack] = OrderedDict()
        self._generation = 0
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """Whether one more map can be kept without another one going."""
        with self._lock:
            sizes = [stack.values.nbytes for stack in self._kept.values()]
        return sum(sizes) + max(sizes, default=0) <= self._budget

    def find(self, request: AttentionRequest) -> AttentionStack | None:
        """What is asked for, if it can be had without the disk."""
        block = request.choice.block
        with self._lock:
            found = self._get(request)
            if found is not None or not isinstance(block, tuple):
                return found
            singles = [self._get(request.of(request.choice._replace(block=b))) for b in block]
        stacks = [stack for stack in singles if stack is not None]
        if len(stacks) < len(block) or len({stack.values.shape for stack in stacks}) > 1:
            return None
        mean = np.mean([stack.values for stack in stacks], axis=0, dtype=np.float32)
        return stacks[0]._replace(values=np.asarray(mean))

    def read(self, request: AttentionRequest) -> AttentionStack:
        """What is asked for, from memory or from disk.

        Raises
        ------
        UserError
            When the store keeps no such block or head.
        """
        found = self.find(request)
        if found is not None:
            return found
        with self._lock:
            generation = self._generation
        parts = request.branch, request.choice, request.window, request.max_side
        read = read_attention_stack(self.store.attention, *parts)
        stack = read._replace(values=read.values.astype(np.float16))
        with self._lock:
            if generation == self._generation:
                self._put(request, stack)
        return stack

    def forget(self) -> None:
        """Drop everything: the store has changed."""
        with self._lock:
            self._kept.clear()
            self._generation += 1

    def _get(self, request: AttentionRequest) -> AttentionStack | None:
        key = request.of(request.choice)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _put(self, request: AttentionRequest, stack: AttentionStack) -> None:
        self._kept[request.of(request.choice)] = stack
        used = sum(one.values.nbytes for one in self._kept.values())
        while used > self._budget and len(self._kept) > 1:
            used -= self._kept.popitem(last=False)[1].values.nbytes


def likely_next(request: AttentionRequest, layout: AttentionLayout) -> Iterator[AttentionRequest]:
    """What a person may switch to from here, the likeliest first.

    The other blocks, then those of the other direction, then the other heads.
    """
    chosen = request.choice
    directions = sorted(DIRECTIONS, key=lambda direction: direction != chosen.direction)
    for direction in directions:
        for block in (chosen.block, None, *layout.blocks):
            if chosen.head is None or chosen.head < layout.head_numbers(block):
                yield request.of(chosen._replace(direction=direction, block=block))
    for head in (None, *range(layout.head_numbers(chosen.block))):
        yield request.of(chosen._replace(head=head))
