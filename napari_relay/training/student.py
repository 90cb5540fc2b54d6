"""The copy of a model that learns."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.training.evaluation import batched
from napari_relay.training.examples import Example, collate
from napari_relay.training.finetune_options import Trains
from napari_relay.training.lora import adapt_linears, called_linears, merge_adapters
from napari_relay.training.metrics import Scores, confusion_matrix
from napari_relay.training.old_model import BATCH, OldModel, Seen
from relay_tokens import RelayOutput, RelaySegmenter
from relay_tokens.backbone import Features

Snapshot = Mapping[str, Tensor]
"""The weights that learn, by name."""


class Student:
    """A copy of a model of which some weights learn.

    While :attr:`is_frozen`, only the head does, and reads the features that the old
    model computes once for each crop. With the relay tokens the whole backbone has to
    be run again, forwards and backwards.

    Parameters
    ----------
    old
        What is copied; never changed.
    trains
        What learns.
    """

    def __init__(self, old: OldModel, trains: Trains) -> None:
        self._old, self.trains = old, trains
        self.model: RelaySegmenter = copy.deepcopy(old.model).eval()
        self._learning = dict(self._chosen(trains))
        self.is_frozen = trains == "head"
        if self.is_frozen:
            self.model.backbone.relay_tokens.requires_grad_(False)

    @property
    def learning(self) -> list[Tensor]:
        """The weights that learn, now or later."""
        return list(self._learning.values())

    def answer(self, seen: Sequence[Seen], examples: Sequence[Example]) -> RelayOutput:
        """Logits of examples.

        Parameters
        ----------
        seen
            What they are made of.
        examples
            The same, turned as ``seen`` says.
        """
        return self.model.classify(self._features(seen, examples))

    @torch.no_grad()
    def scores(self, examples: Sequence[Example], weights: Sequence[float] | None = None) -> Scores:
        """Compare predictions with the labels of examples, each counted ``weights`` times."""
        classes = self.model.config.num_classes
        found = [
            confusion_matrix(example.labels, predicted, classes)
            for batch in batched(examples, BATCH)
            for example, predicted in zip(batch, self._predicted(batch), strict=True)
        ]
        counted = zip(found, weights or [1.0] * len(found), strict=True)
        total = sum((one * weight for one, weight in counted), start=_nothing(classes))
        return Scores(np.rint(total).astype(np.int64))

    def snapshot(self) -> Snapshot:
        """Copy of the weights that learn, as they are now."""
        return {name: p.detach().clone() for name, p in self._learning.items()}

    @torch.no_grad()
    def restore(self, snapshot: Snapshot) -> None:
        """Take up weights of :meth:`snapshot`."""
        for name, value in snapshot.items():
            self._learning[name].copy_(value)

    def merged(self) -> RelaySegmenter:
        """A plain model on the CPU, of the same kind as the old one."""
        model = copy.deepcopy(self.model).cpu().eval()
        merge_adapters(model)
        for parameter in model.parameters():
            parameter.requires_grad_(True)
            parameter.grad = None
        return model

    def unfreeze(self) -> None:
        """Let the relay tokens learn too, from here on."""
        self.is_frozen = False
        self.model.backbone.relay_tokens.requires_grad_(self.has_relay_tokens)

    @property
    def has_relay_tokens(self) -> bool:
        """Whether there are any; a model of one scale has none."""
        return self.model.backbone.relay_tokens.numel() > 0

    def _chosen(self, trains: Trains) -> list[tuple[str, Tensor]]:
        """Let the chosen weights learn, and no others."""
        model = self.model
        model.requires_grad_(trains == "all")
        model.head.requires_grad_(True)
        model.backbone.relay_tokens.requires_grad_(self.has_relay_tokens)
        if trains == "adapters":
            adapt_linears(model.backbone, called_linears(model, *_empty_crops(model)))
        return [(name, p) for name, p in model.named_parameters() if p.requires_grad]

    def _features(self, seen: Sequence[Seen], examples: Sequence[Example]) -> Features:
        if self.is_frozen:
            return self._old.features(seen)
        self.model.train(self.trains == "all" and torch.is_grad_enabled())
        batch = collate(examples).to(next(self.model.parameters()).device)
        return self.model.features(batch.local, batch.global_)

    def _predicted(self, examples: Sequence[Example]) -> NDArray[np.int64]:
        output = self.answer([Seen(example) for example in examples], examples)
        return output.local_logits.argmax(dim=1).cpu().numpy()


def _empty_crops(model: RelaySegmenter) -> tuple[Tensor, Tensor | None]:
    config, weight = model.config, next(model.parameters())
    crop = weight.new_zeros(1, config.in_channels, config.crop_size, config.crop_size)
    return crop, None if config.context_factor is None else crop


def _nothing(classes: int) -> NDArray[np.float64]:
    return np.zeros((classes, classes))
