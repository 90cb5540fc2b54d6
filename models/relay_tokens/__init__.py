"""Relay-token segmentation models: a local and a global crop, read together."""

from __future__ import annotations

from relay_tokens.baselines import BaselineConfigs, baseline_configs
from relay_tokens.checkpoint import Checkpoint, load_checkpoint, load_metadata, save_checkpoint
from relay_tokens.config import Exchange, Mode, RelayConfig
from relay_tokens.context_dependence import ContextDependence, context_dependence
from relay_tokens.context_flow import ContextFlow, context_flow
from relay_tokens.errors import UserError
from relay_tokens.importing import import_checkpoint
from relay_tokens.loss import LossTerms, RelayLoss
from relay_tokens.metadata import ModelMetadata, Normalization
from relay_tokens.output import BranchAttention, RelayAttention, RelayOutput
from relay_tokens.relay_reliance import relay_reliance
from relay_tokens.schema import IGNORE_INDEX, PALETTE, ClassSchema, SegmentationClass
from relay_tokens.segmenter import RelaySegmenter
from relay_tokens.zoo import load_model, zoo_folder, zoo_names

__all__ = [
    "IGNORE_INDEX",
    "PALETTE",
    "BaselineConfigs",
    "BranchAttention",
    "Checkpoint",
    "ClassSchema",
    "ContextDependence",
    "ContextFlow",
    "Exchange",
    "LossTerms",
    "Mode",
    "ModelMetadata",
    "Normalization",
    "RelayAttention",
    "RelayConfig",
    "RelayLoss",
    "RelayOutput",
    "RelaySegmenter",
    "SegmentationClass",
    "UserError",
    "baseline_configs",
    "context_dependence",
    "context_flow",
    "import_checkpoint",
    "load_checkpoint",
    "load_metadata",
    "load_model",
    "relay_reliance",
    "save_checkpoint",
    "zoo_folder",
    "zoo_names",
]
