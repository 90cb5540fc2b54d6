"""What a relay-token model is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from relay_tokens.errors import UserError

Exchange = Literal["sequential", "mean"]
"""How relay tokens pass between the branches; see :attr:`RelayConfig.exchange`."""
Mode = Literal["relay", "global", "fusion"]
"""Where the local logits come from; see :attr:`RelayConfig.mode`."""


@dataclass(frozen=True)
class RelayConfig:
    """Everything that determines the parameters and the function of a model."""

    backbone: str
    """A timm model name, e.g. ``vit_tiny_patch16_224`` or ``swinv2_tiny_window8_256``."""
    num_classes: int
    """Number of classes the segmentation head tells apart."""
    in_channels: int = 3
    """Number of image bands."""
    crop_size: int = 256
    """Side of the local and of the global crop, in pixels."""
    context_factor: int | None = 4
    """Side of the global window over that of the local one; None: the
    single-scale baseline, which reads the local crop only."""
    num_relay_tokens: int = 4
    """Learnable tokens that carry information between the two branches."""
    exchange: Exchange = "sequential"
    """Global then local branch in each block (the paper's figure), or both from
    the same relay tokens and the mean of the two results (the authors' code)."""
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of ``timm.create_model``, for sizes of one's own."""
    mode: Mode = "relay"
    """Where the local logits come from: the local branch, which relay tokens tell
    of the global one; or, for comparison and without relay tokens, ``global``: the
    middle of the global crop alone; ``fusion``: the sum of both branches."""

    def __post_init__(self) -> None:
        _require(isinstance(self.backbone, str), "backbone", self.backbone, "a timm model name")
        for name, least in (("num_classes", 1), ("in_channels", 1), ("crop_size", 8)):
            _require_count(name, getattr(self, name), least)
        _require_count("num_relay_tokens", self.num_relay_tokens, 0)
        if self.context_factor is not None:
            _require_count("context_factor", self.context_factor, 2)
        _require_one_of("exchange", self.exchange, get_args(Exchange))
        _require_one_of("mode", self.mode, get_args(Mode))
        options = self.backbone_options
        _require(isinstance(options, Mapping), "backbone_options", options, "a mapping")
        self._require_relay_tokens_only_where_used()

    def _require_relay_tokens_only_where_used(self) -> None:
        if self.mode != "relay":
            wide = self.context_factor is not None
            _require(wide, "context_factor", None, f"at least 2 with mode {self.mode!r}")
            count = self.num_relay_tokens
            _require(count == 0, "num_relay_tokens", count, f"0 with mode {self.mode!r}")

    @property
    def is_single_scale(self) -> bool:
        """Whether the model has one branch and reads one of the two crops."""
        return self.context_factor is None or self.mode == "global"

    def to_json(self) -> str:
        """Write the configuration as a JSON object."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RelayConfig:
        """Read what :meth:`to_json` wrote; unknown or missing fields are named."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise UserError(f"The model configuration is {values!r}; it must be a JSON object.")
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        missing = sorted({"backbone", "num_classes"} - set(values))
        if unknown or missing:
            raise UserError(
                f"The model configuration has unknown fields {unknown} and lacks {missing}; "
                "use the version of napari-relay that wrote it, or mend the file."
            )
        return cls(**values)


def _require_count(name: str, value: int, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(whole and value >= least, name, value, f"a whole number, at least {least}")


def _require_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    _require(value in known, name, value, " or ".join(known))


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value!r}; it must be {expected}.")
