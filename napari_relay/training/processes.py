"""The processes that train one model together."""

from __future__ import annotations

import os
from dataclasses import dataclass

from napari_relay.training.options import TrainOptions
from relay_tokens import UserError


@dataclass(frozen=True)
class Processes:
    """One process among those of a training run."""

    rank: int = 0
    """Which one this is; 0 alone writes files and measures."""
    count: int = 1
    """Of all machines together."""
    on_machine: int = 1
    """Of this machine."""

    @classmethod
    def here(cls) -> Processes:
        """Read the environment that torchrun, or ``napari-relay train --devices``, sets."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        words = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        return cls(*(int(os.environ[word]) for word in words))

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and measures."""
        return self.rank == 0

    @property
    def machines(self) -> int:
        """How many machines they run on."""
        return self.count // self.on_machine

    def share(self, size: int) -> slice:
        """Which examples of a batch of ``size`` are this process's."""
        each = size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def check(self, options: TrainOptions) -> None:
        """Make sure that the processes are those the options ask for.

        Raises
        ------
        UserError
            When their number does not fit the devices or the batch.
        """
        if options.devices > 1 and options.devices != self.on_machine:
            raise UserError(
                f"Training on {options.devices} devices needs as many processes, and here are "
                f"{self.on_machine}; start them with napari-relay train --devices "
                f"{options.devices}, or with torchrun."
            )
        if options.batch_size % (self.count * options.accumulate):
            raise UserError(
                f"A batch of {options.batch_size} cannot be shared by {self.count} processes in "
                f"{options.accumulate} parts each; choose a multiple of "
                f"{self.count * options.accumulate}."
            )
