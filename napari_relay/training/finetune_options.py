"""How a round of fine-tuning goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from relay_tokens import UserError

Trains = Literal["auto", "head", "adapters", "all"]
"""What changes: the head and the relay tokens; these and low-rank adapters of the
blocks' linear layers; or every weight. ``auto``: as much as there is time for."""


class Usual(NamedTuple):
    """What suits one choice of what trains."""

    steps: int
    """Number of batches."""
    learning_rate: float
    """Largest one of AdamW."""
    batch_size: int
    """Crop pairs in a batch."""


USUAL: Mapping[Trains, Usual] = {
    "auto": Usual(60, 2e-3, 8),
    "head": Usual(80, 2e-3, 8),
    "adapters": Usual(60, 1e-3, 8),
    "all": Usual(90, 1e-4, 8),
}
"""What is done unless something else is asked for; with ``auto``, at most."""


@dataclass(frozen=True)
class FinetuneOptions:
    """How a round of fine-tuning goes; None: what suits :attr:`trains`."""

    trains: Trains = "auto"
    """What changes; see :data:`Trains`."""
    seconds: float = 20.0
    """With ``auto``: about how long a round may take, on this machine."""
    steps: int | None = None
    """Number of batches."""
    learning_rate: float | None = None
    """Of AdamW, falling to 0 along a half cosine."""
    batch_size: int | None = None
    """Crop pairs in a batch: half with corrections, half to be remembered; of a model
    that ships with tiles of its training data, a quarter with corrections."""
    rehearsal: float | None = None
    """Weight of staying with the old model's predictions away from corrections. None:
    less where there are tiles of the training data, which hold it too."""
    base: float = 10.0
    """Weight of the tiles of its training data that a model ships with."""
    holdout: float = 0.25
    """Share of the corrected regions that is measured on instead of learnt, when
    there are at least four."""
    replayed: int = 12
    """Windows away from corrections whose predictions are rehearsed."""
    minimum_agreement: float = 0.8
    """Smallest mean IoU with the old predictions on unseen replayed windows for the
    new model to be recommended, where there are no tiles of its training data."""
    largest_loss: float = 0.01
    """Largest loss of mIoU on tiles held out from its training for it to be recommended."""
    evaluate_every: int | None = None
    """Steps between two evaluations; the best one's weights are kept. None: a third."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``mps`` ..."""
    seed: int = 0
    """Of the held-out choice, crops and augmentations."""

    def __post_init__(self) -> None:
        if self.trains not in get_args(Trains):
            raise UserError(f"trains is {self.trains!r}; it must be {', '.join(get_args(Trains))}.")
        for name, least in (("steps", 1), ("batch_size", 2), ("evaluate_every", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} is {value}; it must be at least {least}.")

    @property
    def usual(self) -> Usual:
        """Steps, learning rate and batch size: those asked for, or what suits."""
        usual = USUAL[self.trains]
        return Usual(
            self.steps or usual.steps,
            self.learning_rate or usual.learning_rate,
            self.batch_size or usual.batch_size,
        )

    def rehearsal_weight(self, has_base: bool) -> float:
        """Of the old model's predictions, with or without tiles of the training data."""
        if self.rehearsal is not None:
            return self.rehearsal
        return 0.3 if has_base else 1.0

    @property
    def evaluated_every(self) -> int:
        """Steps between two evaluations."""
        return self.evaluate_every or -(-self.usual.steps // 3)
