"""One step down the gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_relay.training.examples import Batch
from napari_relay.training.fabric import new_fabric
from napari_relay.training.objective import Objective, has_unused_parameters
from napari_relay.training.options import TrainOptions
from napari_relay.training.processes import Processes
from napari_relay.training.progress import TrainLoss
from relay_tokens import IGNORE_INDEX, LossTerms, RelaySegmenter

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import Precision


class Descent:
    """Lowers a model's loss on one batch after the other.

    Parameters
    ----------
    model
        Trained in place; it is moved to the device.
    options
        Optimiser, device and parts of a batch.
    processes
        Who shares each batch. All must do the same steps.

    Raises
    ------
    UserError
        When Lightning Fabric or a device is missing.
    """

    def __init__(self, model: RelaySegmenter, options: TrainOptions, processes: Processes) -> None:
        self.model, self.options, self.processes = model, options, processes
        for parameter in model.parameters():
            # The stride of an axis of length 1 may be anything; torch's gradient buckets
            # take it over and then warn that it is odd.
            parameter.data = parameter.data.reshape(-1).view(parameter.shape)
        objective = Objective(model, options)
        has_unused = processes.count > 1 and has_unused_parameters(objective)
        self.fabric: Fabric = new_fabric(options, processes, has_unused)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        self._objective, self._optimizer = self.fabric.setup(objective, self.optimizer)

    @property
    def precision(self) -> Precision:
        """The number format, which for float16 has a state: the scale of the loss."""
        return self.fabric.strategy.precision

    def step(self, number: int, batch: Batch) -> TrainLoss:
        """Learn from a batch.

        Parameters
        ----------
        number
            Of the step: 0, 1, ...
        batch
            This process's share of it.

        Returns
        -------
        TrainLoss
            Of the whole batch.
        """
        self.model.train()
        parts = _parts(batch, self.options.accumulate)
        labelled = self._labelled(parts)
        self._optimizer.zero_grad()
        with self._seeded(number):
            terms = [
                self._add_gradient(part, share, is_last=index + 1 == len(parts))
                for index, (part, share) in enumerate(zip(parts, labelled, strict=True))
            ]
        self.fabric.clip_gradients(
            self._objective, self._optimizer, max_norm=self.options.gradient_clip
        )
        self._optimizer.step()
        return self._mean(terms)

    def forget(self) -> None:
        """Free the gradients."""
        self._optimizer.zero_grad()

    def _labelled(self, parts: Sequence[Batch]) -> list[float]:
        """Labelled pixels of each part, over those of a part of the whole batch on average."""
        counts = [int((part.labels != IGNORE_INDEX).sum()) for part in parts]
        mean = sum(counts) / len(counts)
        if self.processes.count > 1:
            mine = torch.tensor(mean, dtype=torch.float32, device=self.fabric.device)
            mean = float(self._averaged(mine))
        return [count / mean if mean else 1.0 for count in counts]

    def _add_gradient(self, part: Batch, labelled: float, is_last: bool) -> Tensor:
        """Add a part's gradient to those before; returns its losses."""
        # Processes exchange their gradients once a batch, with the last part.
        with self.fabric.no_backward_sync(self._objective, enabled=not is_last):
            terms: LossTerms = self._objective(*part.to(self.fabric.device), labelled)
            self.fabric.backward(terms.total / self.options.accumulate)
        return torch.stack([term.detach().float() for term in terms])

    def _mean(self, terms: Sequence[Tensor]) -> TrainLoss:
        mean = torch.stack(list(terms)).mean(dim=0)
        return TrainLoss(*self._averaged(mean).tolist())

    def _averaged(self, value: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.processes.count == 1:
            return value
        mean = self.fabric.all_reduce(value, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    @contextmanager
    def _seeded(self, number: int) -> Iterator[None]:
        """Let what a model draws, such as dropout, depend on the seed and the step alone."""
        key = [self.options.seed, 6, number, self.processes.rank]
        seed = int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0])
        device = self.fabric.device
        others = [] if device.type == "cpu" else [device]
        with torch.random.fork_rng(others, device_type=device.type):
            torch.manual_seed(seed)
            yield


def _parts(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into equal parts."""
    size = len(batch.local) // count
    wide = None if batch.global_ is None else batch.global_.split(size)
    return [
        Batch(local, None if wide is None else wide[index], labels)
        for index, (local, labels) in enumerate(
            zip(batch.local.split(size), batch.labels.split(size), strict=True)
        )
    ]
