"""The model as it was before a round of fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.training.augmentation import Augmentation
from napari_relay.training.evaluation import batched
from napari_relay.training.examples import Example, augment, collate
from relay_tokens import RelaySegmenter
from relay_tokens.backbone import Features

AS_IT_IS = Augmentation()
BATCH = 8
"""Crop pairs in a forward pass."""
MOST_KEPT = 512
"""Crops whose features are kept, at most."""


class Seen(NamedTuple):
    """An example as a model sees it."""

    example: Example
    """Its crops."""
    change: Augmentation = AS_IT_IS
    """How they are turned."""


class _Kept(NamedTuple):
    """Features of one crop pair."""

    example: Example
    """Kept, so that no other one gets its number."""
    local: Tensor
    """``(channel, rows, cols)``."""
    global_: Tensor | None
    """The same; None in a model of one scale."""


class OldModel:
    """Answers of a model whose weights stay as they are.

    Parameters
    ----------
    model
        In eval mode, on any device.
    keeps
        Whether features are kept, and not computed twice: while only the head
        learns, the backbone says the same of the same crops.
    """

    def __init__(self, model: RelaySegmenter, keeps: bool) -> None:
        self.model, self._keeps = model, keeps
        self._kept: dict[tuple[int, int, bool], _Kept] = {}

    @torch.no_grad()
    def features(self, seen: Sequence[Seen]) -> Features:
        """What the backbone makes of examples, stacked."""
        found = {_key(one): self._kept[_key(one)] for one in seen if _key(one) in self._kept}
        missing = {_key(one): one for one in seen if _key(one) not in found}
        for batch in batched(missing.items(), BATCH):
            found |= self._computed(dict(batch))
        if self._keeps and len(self._kept) < MOST_KEPT:
            self._kept |= found
        chosen = [found[_key(one)] for one in seen]
        wide = [one.global_ for one in chosen if one.global_ is not None]
        local = torch.stack([one.local for one in chosen])
        return Features(local, torch.stack(wide) if wide else None, None)

    @torch.no_grad()
    def beliefs(self, examples: Sequence[Example]) -> list[NDArray[np.float32]]:
        """Softmax of the local logits of each example, ``(class, crop, crop)``."""
        found: list[NDArray[np.float32]] = []
        for batch in batched(examples, BATCH):
            output = self.model.classify(self.features([Seen(example) for example in batch]))
            found += list(output.local_logits.softmax(dim=1).float().cpu().numpy())
        return found

    def _computed(
        self, seen: dict[tuple[int, int, bool], Seen]
    ) -> dict[tuple[int, int, bool], _Kept]:
        device = next(self.model.parameters()).device
        moved = [augment(one.example, one.change) for one in seen.values()]
        batch = collate(moved).to(device)
        features = self.model.features(batch.local, batch.global_)
        wide = [None] * len(seen) if features.global_ is None else list(features.global_)
        return {
            key: _Kept(one.example, local, other)
            for (key, one), local, other in zip(seen.items(), features.local, wide, strict=True)
        }


def _key(seen: Seen) -> tuple[int, int, bool]:
    return id(seen.example.crops.local), seen.change.turns, seen.change.mirror
