"""What a relay-token model is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from relay_tokens.errors import UserError

Exchange = Literal["sequential", "mean"]


@dataclass(frozen=True)
class RelayConfig:
    """Everything that determines the parameters and the function of a model."""

    backbone: str
    """A timm model name, e.g. ``vit_tiny_patch16_224`` or ``swinv2_cr_tiny_ns_224``."""
    num_classes: int
    """Number of classes the segmentation head tells apart."""
    in_channels: int = 3
    """Number of image bands."""
    crop_size: int = 256
    """Side of the local and of the global crop, in pixels."""
    context_factor: int | None = 4
    """Side of the global window over that of the local one; None: single-scale."""
    num_relay_tokens: int = 4
    """Learnable tokens that carry information between the two branches."""
    exchange: Exchange = "sequential"
    """Global then local branch in each block (the paper's figure), or both from
    the same relay tokens and the mean of the two results (the authors' code)."""
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of ``timm.create_model``, for sizes of one's own."""

    def __post_init__(self) -> None:
        _require(self.num_classes >= 1, "num_classes", self.num_classes, "at least 1")
        _require(self.in_channels >= 1, "in_channels", self.in_channels, "at least 1")
        _require(self.crop_size >= 8, "crop_size", self.crop_size, "at least 8")
        _require(self.num_relay_tokens >= 0, "num_relay_tokens", self.num_relay_tokens, "0 or more")
        factor = self.context_factor
        _require(factor is None or factor >= 2, "context_factor", factor, "None or at least 2")
        _require(
            self.exchange in get_args(Exchange),
            "exchange",
            self.exchange,
            " or ".join(get_args(Exchange)),
        )

    @property
    def is_single_scale(self) -> bool:
        """Whether the model reads the local crop only."""
        return self.context_factor is None

    def to_json(self) -> str:
        """Write the configuration as a JSON object."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RelayConfig:
        """Read what :meth:`to_json` wrote; unknown or missing fields are named."""
        values = json.loads(text)
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        missing = sorted({"backbone", "num_classes"} - set(values))
        if unknown or missing:
            raise UserError(
                f"The model configuration has unknown fields {unknown} and lacks {missing}; "
                "use the version of napari-relay that wrote it, or mend the file."
            )
        return cls(**values)


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value!r}; it must be {expected}.")
