"""How attention is called in the panel, in figures and in windows."""

from __future__ import annotations

from napari_relay.inference.attention import Branch, Direction
from napari_relay.inference.attention_choice import AttentionChoice

DIRECTIONS: dict[Direction, str] = {
    "relay_to_patch": "tokens read the patches",
    "patch_to_relay": "patches read the tokens",
}
"""Who reads whom."""
BRANCHES: dict[Branch, str] = {
    "local": "the detailed crop",
    "global": "the wide crop",
}
"""What each branch sees."""


def in_words(choice: AttentionChoice, of_token: bool = True) -> str:
    """Say which attention it is; everything is counted from 1.

    Parameters
    ----------
    of_token
        Whether the relay token is named.
    """
    parts = [DIRECTIONS[choice.direction]]
    if of_token:
        token = "mean of the relay tokens" if choice.token is None else f"token {choice.token + 1}"
        parts.append(token)
    parts.append(_blocks(choice))
    parts.append("mean of the heads" if choice.head is None else f"head {choice.head + 1}")
    return ", ".join(parts)


def _blocks(choice: AttentionChoice) -> str:
    if choice.block is None:
        return "mean of all blocks"
    if isinstance(choice.block, int):
        return f"block {choice.block + 1}"
    return f"mean of blocks {choice.block[0] + 1} to {choice.block[-1] + 1}"
