"""Which models the benchmark of context trains, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.context_setting import Setting
from napari_relay.training import ModelOptions, TrainOptions
from napari_relay.training.runs import Baseline
from relay_tokens.config import Exchange


@dataclass(frozen=True)
class Variant:
    """One of the models that are compared; None: as the setting has it."""

    name: str
    """In the results."""
    label: str
    """In tables and plots."""
    kind: Literal["relay", "baseline", "unet"] = "relay"
    """What is built."""
    baseline: Baseline | None = None
    """Which of the relay model's baselines."""
    num_relay_tokens: int | None = None
    """Learnable tokens."""
    context_factor: int | None = None
    """Side of the global window over that of the local one."""
    exchange: Exchange = "sequential"
    """How relay tokens go from branch to branch."""
    consistency_weight: float = 0.1
    """Of the branches' agreement in the loss."""

    def model_options(self, setting: Setting) -> ModelOptions:
        """What is built, but for the U-Net."""
        tokens = self.num_relay_tokens
        return ModelOptions(
            name=self.name,
            backbone=setting.backbone,
            backbone_options=setting.backbone_options,
            crop_size=setting.crop_size,
            context_factor=self.context_factor or setting.context_factor,
            num_relay_tokens=setting.num_relay_tokens if tokens is None else tokens,
            exchange=self.exchange,
            baseline=self.baseline,
        )


MODELS = (
    Variant("single", "single-scale, local crop", "baseline", "local"),
    Variant("relay", "relay tokens"),
    Variant("decision_fusion", "decision fusion", "baseline", "fusion"),
    Variant("global", "single-scale, global crop", "baseline", "global"),
    Variant("unet", "U-Net, local crop", "unet"),
)
"""What is compared, the most telling first."""
ABLATIONS = (
    Variant("tokens_0", "no relay tokens", num_relay_tokens=0),
    Variant("tokens_2", "2 relay tokens", num_relay_tokens=2),
    Variant("tokens_8", "8 relay tokens", num_relay_tokens=8),
    Variant("context_factor_2", "context factor 2", context_factor=2),
    Variant("context_factor_8", "context factor 8", context_factor=8),
    Variant("exchange_mean", "mean exchange", exchange="mean"),
    Variant("consistency_0", "no consistency loss", consistency_weight=0.0),
)
"""The relay model with one thing changed."""


@dataclass(frozen=True)
class Run:
    """One model trained from one seed."""

    group: Literal["models", "ablations"]
    """Where its scores go in the results."""
    variant: Variant
    """What is trained."""
    seed: int
    """Of weights and crops."""

    @property
    def key(self) -> str:
        """Its folder's name."""
        return f"{self.variant.name}-{self.seed}"

    def train_options(self, setting: Setting) -> TrainOptions:
        """How it is trained; the same for all runs but for seed and ablated loss.

        Colours and scale stay as they are: a wider crop would move what decides a
        class out of the global one.
        """
        return TrainOptions(
            steps=setting.steps,
            batch_size=setting.batch_size,
            learning_rate=setting.learning_rate,
            schedule="cosine",
            consistency_weight=self.variant.consistency_weight,
            evaluate_every=min(setting.evaluate_every, setting.steps),
            validation_crops=setting.validation_crops,
            color_jitter=0.0,
            scale_jitter=1.0,
            seed=self.seed,
            device=setting.device,
        )


def planned_runs(setting: Setting, ablation_seeds: int = 1) -> tuple[Run, ...]:
    """All runs, in an order in which the first ones say most.

    Parameters
    ----------
    setting
        Gives the seeds.
    ablation_seeds
        From how many of them ablations are trained.
    """
    first, *others = setting.model_seeds
    ablated = setting.model_seeds[:ablation_seeds]
    return (
        *(Run("models", variant, first) for variant in MODELS),
        *(Run("models", variant, seed) for seed in others for variant in MODELS),
        *(Run("ablations", variant, seed) for seed in ablated for variant in ABLATIONS),
    )
