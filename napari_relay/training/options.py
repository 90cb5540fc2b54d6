"""How a model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_relay.inference.devices import Precision
from relay_tokens import UserError


@dataclass(frozen=True)
class TrainOptions:
    """How long and how a model is trained; the defaults are the paper's where it says."""

    steps: int = 2000
    """Number of batches."""
    batch_size: int = 8
    """Crop pairs in a batch, of all processes together."""
    accumulate: int = 1
    """Parts a batch is computed in, one after the other, for devices of little memory."""
    devices: int = 1
    """Processes on this machine, each with a device of its own, that share every batch."""
    learning_rate: float = 1e-3
    """Of AdamW, after the warm-up."""
    weight_decay: float = 0.01
    """Of AdamW."""
    warmup_fraction: float = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """After the warm-up: divide by 5 when the held-out mIoU has not risen for
    ``patience`` evaluations (the paper), or fall to 0 along a half cosine, which
    suits runs whose length is set beforehand."""
    patience: int = 4
    """Evaluations without a rise before ``plateau`` divides the learning rate."""
    early_stopping: int = 0
    """Evaluations without a rise of the held-out mIoU after which training ends; 0: never."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient."""
    global_weight: float = 0.1
    """Of the global branch's cross-entropy in the loss."""
    consistency_weight: float = 0.1
    """Of the branches' agreement in the loss."""
    evaluate_every: int = 100
    """Steps between two evaluations on the held-out windows."""
    validation_crops: int = 64
    """At most so many held-out windows are measured on."""
    save_every: int = 50
    """Steps between two checkpoints to resume from."""
    class_balance: float = 0.5
    """Share of the crops that are centred on a class, each class as often; 0 to 1."""
    color_jitter: float = 0.3
    """Strength of the colour augmentation of red, green and blue."""
    scale_jitter: float = 2.0
    """A crop shows up to so many times the ground, or so many times less; 1: as it is."""
    plots: bool = True
    """Whether pictures of the run are drawn at its end, where matplotlib is installed."""
    seed: int = 0
    """Of crops and augmentations."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``mps`` ..."""
    precision: Precision = "auto"
    """Number format of the forward pass; ``auto``: bfloat16 on CUDA, else float32."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "devices",
            "evaluate_every",
            "save_every",
            "validation_crops",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name, least, most in (("class_balance", 0, 1), ("scale_jitter", 1, 4)):
            if not least <= getattr(self, name) <= most:
                raise UserError(f"{name} is {getattr(self, name)}; choose {least} to {most}.")
        if self.learning_rate <= 0:
            raise UserError(f"learning_rate is {self.learning_rate}; it must be positive.")
        if self.early_stopping < 0:
            raise UserError(f"early_stopping is {self.early_stopping}; it must be 0 or more.")
        if self.accumulate < 1 or self.batch_size % (self.accumulate * self.devices):
            shared = f" on each of {self.devices} devices" if self.devices > 1 else ""
            raise UserError(
                f"A batch of {self.batch_size} cannot be computed in {self.accumulate} equal "
                f"parts{shared}; choose numbers that divide it."
            )

    @property
    def warmup_steps(self) -> int:
        """Steps in which the learning rate rises."""
        return round(self.steps * self.warmup_fraction)
