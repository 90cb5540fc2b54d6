"""Which of a prediction's attention is wanted."""

from __future__ import annotations

from typing import NamedTuple

from napari_relay.inference.attention import Blocks, Direction


class AttentionChoice(NamedTuple):
    """Which attention is wanted; None: the mean over all that is kept."""

    direction: Direction
    """Who reads whom."""
    block: Blocks = None
    """A transformer block of the model, from 0, or several."""
    token: int | None = None
    """A relay token, from 0."""
    head: int | None = None
    """An attention head of the block, from 0."""
