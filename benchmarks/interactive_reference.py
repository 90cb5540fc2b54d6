"""A model trained on the shifted domain itself: what corrections could reach at most."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from benchmarks.interactive_domain import Ground
from benchmarks.interactive_setting import Setting
from napari_relay.geometry import Window
from napari_relay.inference.devices import choose_device
from napari_relay.training.augmentation import random_augmentation
from napari_relay.training.examples import Example, ExampleReader, augment, collate
from relay_tokens import IGNORE_INDEX, Checkpoint, RelayLoss

WARM_UP = 20
"""Steps in which the learning rate rises from 0."""


def train_reference(
    checkpoint: Checkpoint, grounds: Sequence[Ground], steps: int, setting: Setting
) -> Iterator[Checkpoint | float]:
    """Go on training a shipped model on whole images of the domain, all labels known.

    Half of the crops lie anywhere, half around a pixel of a class, each class as
    often. The loss is that of training (``RelayLoss``).

    Yields
    ------
    float or Checkpoint
        The loss of each step; at last the model.
    """
    device = choose_device(setting.device)
    model = copy.deepcopy(checkpoint.model).to(device).train()
    readers = [ExampleReader(g.image, g.labels, model.config, checkpoint.metadata) for g in grounds]
    loss_of = RelayLoss(model.config.context_factor)
    optimizer = torch.optim.AdamW(model.parameters(), setting.reference_learning_rate)
    for step in range(steps):
        rng = np.random.default_rng([9, step])
        examples = [_draw(readers, grounds, rng) for _ in range(setting.reference_batch)]
        for group in optimizer.param_groups:
            group["lr"] = setting.reference_learning_rate * _slope(step, steps)
        batch = collate(examples).to(device)
        loss = loss_of(model(batch.local, batch.global_), batch.labels).total
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield float(loss.detach())
    yield Checkpoint(model.cpu().eval(), checkpoint.metadata)


def _slope(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2


def _draw(
    readers: Sequence[ExampleReader], grounds: Sequence[Ground], rng: np.random.Generator
) -> Example:
    """Draw an augmented example of one of the images."""
    number = int(rng.integers(len(readers)))
    reader, truth = readers[number], grounds[number].truth
    side = reader.config.crop_size
    room = np.array(truth.shape) - side
    corner = rng.integers(room + 1)
    classes = np.setdiff1d(np.unique(truth[::4, ::4]), IGNORE_INDEX)
    if rng.random() < 0.5:
        places = np.flatnonzero(truth == rng.choice(classes))
        middle = np.array(np.unravel_index(rng.choice(places), truth.shape))
        corner = np.clip(middle - rng.integers(side, size=2), 0, room)
    window = Window(int(corner[0]), int(corner[1]), side, side)
    return augment(reader.read(window), random_augmentation(rng))
