"""What all models of the benchmark of context share: land, sizes, steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from napari_relay.training.datasets import Split


@dataclass(frozen=True)
class Setting:
    """Everything that all models share: land, sizes, steps."""

    name: str
    """``small`` or ``full``."""
    scale: float
    """Of the landscapes' lengths (see ``docs/landscapes.md``)."""
    train_side: int
    """Rows and columns of a land that is learnt."""
    measured_side: int
    """Rows and columns of a land that is measured on."""
    crop_size: int
    """Side of a crop, in pixels."""
    backbone: str
    """A timm name."""
    backbone_options: Mapping[str, int]
    """Further arguments of ``timm.create_model``."""
    unet_encoder: str
    """Encoder of the U-Net, a name of segmentation_models_pytorch."""
    unet_depth: int
    """Halvings in the U-Net."""
    steps: int
    """Batches a model learns from."""
    batch_size: int
    """Crop pairs in a batch."""
    device: str
    """Where models are trained."""
    train_seeds: tuple[int, ...] = (101, 102, 103, 104)
    """Of the land that is learnt."""
    val_seeds: tuple[int, ...] = (201,)
    """Of the land that chooses the best step."""
    test_seeds: tuple[int, ...] = (301, 302, 303)
    """Of the land that is scored, at the end."""
    model_seeds: tuple[int, ...] = (0, 1, 2)
    """Of weights and crops."""
    context_factor: int = 4
    """Side of the global window over that of the local one."""
    num_relay_tokens: int = 4
    """Of the relay model."""
    learning_rate: float = 1e-3
    """Of AdamW, after the warm-up."""
    evaluate_every: int = 100
    """Steps between two looks at the validation land."""
    validation_crops: int = 512
    """Windows of it that are measured on, drawn at random."""
    context_windows: int = 2048
    """Test windows that the relay model also predicts with a blank global crop."""
    threads: int = 1
    """Of each run."""

    def lands(self) -> tuple[tuple[Split, int], ...]:
        """Split and seed of each landscape."""
        seeds: dict[Split, tuple[int, ...]] = {
            "train": self.train_seeds,
            "val": self.val_seeds,
            "test": self.test_seeds,
        }
        return tuple((split, seed) for split, some in seeds.items() for seed in some)

    def side(self, split: Split) -> int:
        """Rows and columns of a landscape of a split."""
        return self.train_side if split == "train" else self.measured_side

    def to_json(self) -> str:
        """Write the setting as a JSON object."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Setting:
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        known = {f.name: values[f.name] for f in fields(cls)}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})


SMALL = Setting(
    name="small",
    scale=0.25,
    train_side=4096,
    measured_side=2048,
    crop_size=32,
    backbone="vit_tiny_patch16_224",
    backbone_options={"patch_size": 4, "embed_dim": 96, "depth": 6, "num_heads": 3},
    unet_encoder="resnet18",
    unet_depth=4,
    steps=1000,
    batch_size=24,
    device="cpu",
)
"""Less than two hours on two cores."""
FULL = Setting(
    name="full",
    scale=2.0,
    train_side=16384,
    measured_side=8192,
    crop_size=256,
    backbone="vit_small_patch16_224",
    backbone_options={},
    unet_encoder="resnet34",
    unet_depth=5,
    steps=20_000,
    batch_size=16,
    device="auto",
    evaluate_every=500,
    threads=8,
)
"""The paper's sizes, for a GPU (bfloat16)."""
SETTINGS = {setting.name: setting for setting in (SMALL, FULL)}
