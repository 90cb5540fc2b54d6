"""How long a round of fine-tuning takes.

Counted in forward passes of one crop pair; a backward pass is about two of them, one where
no weight of the backbone learns. What such a pass takes is measured.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace

import torch

from napari_relay.inference.devices import choose_device
from napari_relay.training.base_tile_draw import MEASURED
from napari_relay.training.finetune_options import FinetuneOptions, Trains
from relay_tokens import RelaySegmenter

FROZEN_SHARE = 0.9
"""Share of the steps in which the head learns alone, before the relay tokens join in."""
TOKEN_BATCH = 4
"""Crop pairs in a batch when the relay tokens learn too: each is run through the backbone."""
HEAD_ALONE = 0.15
"""Passes that a crop costs when its features are known: the head, the loss and the turning."""
STEP_COST = {"auto": 2.3, "head": 2.3, "adapters": 2.6, "all": 3.2}
"""Passes that a crop of a batch costs, forwards and backwards."""
FEWEST_STEPS = 30
"""Steps with which adapters or all weights learn enough to be chosen."""
USUAL_LESSONS = 40
"""Crops of a round before they are counted, without tiles of the training data."""
USUAL_MEASURED = 30
"""Crops of an evaluation before they are counted, without such tiles."""


@dataclass(frozen=True)
class RoundWork:
    """What there is to do in a round."""

    options: FinetuneOptions
    """How it goes."""
    lessons: int
    """Crops that are learnt or rehearsed."""
    measured: int
    """Crops of an evaluation."""
    frozen_steps: int
    """Steps in which the head learns alone."""

    @property
    def gathering(self) -> float:
        """Passes before the first step: what the old model says of everything."""
        return self.lessons + self.measured

    def of_step(self, step: int) -> float:
        """Passes of a step 0, 1, ..."""
        size = self.options.usual.batch_size
        frozen = step < self.frozen_steps
        if frozen:
            # Each crop's features are computed when it is first drawn.
            cost = HEAD_ALONE * size + self.lessons / self.frozen_steps
        else:
            crops = min(size, TOKEN_BATCH) if self.frozen_steps else size
            cost = STEP_COST[self.options.trains] * crops
        last = step + 1 == self.options.usual.steps
        if last or (step + 1) % self.options.evaluated_every == 0:
            cost += self.measured * (HEAD_ALONE if frozen else 1)
        return cost

    def between(self, first: int, last: int) -> float:
        """Passes of the steps ``first`` to ``last - 1``."""
        return sum(self.of_step(step) for step in range(first, last))


class Clock:
    """Guesses from the steps done how long the others take.

    Parameters
    ----------
    work
        What there is to do.
    """

    def __init__(self, work: RoundWork) -> None:
        self._work, self._begun = work, time.monotonic()

    def left(self, done: int) -> float:
        """Seconds until the end, after ``done`` steps."""
        work = self._work
        speed = (time.monotonic() - self._begun) / work.between(0, done)
        return speed * work.between(done, work.options.usual.steps)


def settled(
    options: FinetuneOptions, model: RelaySegmenter, base_tiles: int = 0
) -> FinetuneOptions:
    """Turn ``auto`` into what trains and how many steps, by measuring the model's speed.

    Parameters
    ----------
    options
        Returned as they are unless :attr:`FinetuneOptions.trains` is ``auto``.
    model
        Left as it is.
    """
    if options.trains != "auto":
        return options
    return suited(options, pass_seconds(model, options.device), base_tiles)


def suited(options: FinetuneOptions, pass_: float, base_tiles: int = 0) -> FinetuneOptions:
    """The most that can be trained in the time there is: all weights, adapters or the head.

    Parameters
    ----------
    options
        With the time there is.
    pass_
        Seconds of :func:`pass_seconds`.
    """
    wanted: tuple[Trains, ...] = ("all", "adapters")
    for trains in wanted:
        most = replace(options, trains=trains)
        steps = most.usual.steps
        while True:
            found = replace(most, steps=steps)
            if round_seconds(pass_, found, base_tiles) <= options.seconds:
                return found
            if steps <= FEWEST_STEPS:
                break
            steps -= 5
    return replace(options, trains="head")


def frozen_steps(options: FinetuneOptions, has_relay_tokens: bool) -> int:
    """Steps in which the head learns alone, from features that are computed once."""
    if options.trains != "head":
        return 0
    share = FROZEN_SHARE if has_relay_tokens else 1.0
    return math.ceil(share * options.usual.steps)


def pass_seconds(model: RelaySegmenter, device: str = "auto", tries: int = 2) -> float:
    """Measure a forward pass of one crop pair.

    Parameters
    ----------
    model
        Left as it is, and where it is.
    device
        As :attr:`FinetuneOptions.device`.
    tries
        Passes after a first one; the shortest counts.
    """
    chosen, config = choose_device(device), model.config
    copied = copy.deepcopy(model).to(chosen).eval()
    crop = torch.zeros(2, config.in_channels, config.crop_size, config.crop_size, device=chosen)
    taken = []
    with torch.no_grad():
        for _ in range(tries + 1):
            begun = time.monotonic()
            float(copied(crop, crop).local_logits.sum())
            taken.append((time.monotonic() - begun) / len(crop))
    return min(taken)


def round_seconds(pass_: float, options: FinetuneOptions, base_tiles: int = 0) -> float:
    """Guess how long a round takes.

    Parameters
    ----------
    pass_
        Seconds of :func:`pass_seconds`.
    options
        How it goes.
    base_tiles
        Of :func:`~napari_relay.training.base_tiles.count_base_tiles`.
    """
    lessons = USUAL_LESSONS + base_tiles
    measured = USUAL_MEASURED + round(base_tiles * MEASURED / (1 - MEASURED))
    work = RoundWork(options, lessons, measured, frozen_steps(options, True))
    return pass_ * (work.gathering + work.between(0, options.usual.steps))
