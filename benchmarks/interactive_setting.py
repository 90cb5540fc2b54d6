"""What all runs of the benchmark of correcting share: sizes, seeds, rounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from napari_relay.training.finetune_options import Trains


@dataclass(frozen=True)
class Setting:
    """Everything that all methods share."""

    name: str
    """``small`` or ``full``."""
    sides: Mapping[str, int]
    """Of each domain: rows and columns of the land, diameter of the core."""
    reference_steps: Mapping[str, int]
    """Of each domain: batches from which the model of the domain learns."""
    base_windows: Mapping[str, int]
    """Of each domain: held-out windows of the base domain that are measured on."""
    usual: Mapping[str, Trains]
    """Of each domain: what learns by default. The engine's ``auto`` decides by time; here
    it is fixed, so that a busy machine does not change what is measured."""
    test_seeds: Mapping[str, tuple[int, ...]]
    """Of each domain: of the images that are corrected and measured on; nothing is
    chosen by them."""
    dev_seeds: tuple[int, ...] = (401,)
    """Of the images by which options may be chosen; they enter no result."""
    reference_seeds: tuple[int, ...] = (501, 502, 503)
    """Of the images that the model of the domain learns from, with all their labels."""
    reference_batch: int = 8
    """Crop pairs in a batch of its training."""
    reference_learning_rate: float = 5e-4
    """Of its AdamW, falling to 0 along a half cosine."""
    rounds: int = 5
    """Of correcting and training."""
    strokes: int = 10
    """Corrections in a round."""
    brush: int = 20
    """Width of a stroke, in pixels."""
    reach: int = 100
    """Length of a stroke, and side of the square that a polygon fits in, in pixels."""
    view: tuple[int, int] = (768, 1024)
    """Rows and columns of the view that is predicted again after a round."""
    finetune_steps: int | None = None
    """Batches of a round; None: as the engine has it."""
    threads: int = 1
    """Of each run."""
    device: str = "cpu"
    """Where models are trained."""

    def to_json(self) -> str:
        """Write the setting as a JSON object."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Setting:
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        known = {f.name: _as_tuples(values[f.name]) for f in fields(cls)}
        return cls(**known)


def _as_tuples(value: Any) -> Any:
    """What JSON gives, with tuples for lists."""
    if isinstance(value, dict):
        return {name: _as_tuples(one) for name, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


SMALL = Setting(
    name="small",
    sides={"landscape": 1536, "tissue": 1024},
    reference_steps={"landscape": 1000, "tissue": 250},
    base_windows={"landscape": 512, "tissue": 48},
    usual={"landscape": "all", "tissue": "head"},
    test_seeds={"landscape": (601, 602), "tissue": (601,)},
)
"""About an hour on two cores."""
FULL = Setting(
    name="full",
    sides={"landscape": 6144, "tissue": 4096},
    reference_steps={"landscape": 8000, "tissue": 4000},
    base_windows={"landscape": 4096, "tissue": 75},
    usual={"landscape": "all", "tissue": "all"},
    test_seeds=dict.fromkeys(("landscape", "tissue"), (601, 602, 603, 604, 605)),
    threads=8,
    device="auto",
)
"""Larger images and more seeds, for a GPU."""
SETTINGS = {setting.name: setting for setting in (SMALL, FULL)}
