"""What is known of how a version of a model came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from relay_tokens import Checkpoint


@dataclass(frozen=True)
class VersionRecord:
    """How a version was made, as its training record has it; None: not known."""

    parent: int
    """Number of the version it was trained from."""
    when: str = ""
    """Day and time (UTC) at which it was accepted, ISO 8601; empty: not known."""
    trains: str = ""
    """What learnt; see :data:`napari_relay.training.finetune_options.Trains`."""
    regions: int | None = None
    """Corrected regions there were."""
    before: float | None = None
    """mIoU of the parent on the measured corrections."""
    after: float | None = None
    """Its own on the same."""
    base_before: float | None = None
    """mIoU of the parent on tiles of the training data."""
    base_after: float | None = None
    """Its own on the same."""

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> VersionRecord:
        """Read it from the training record of a model."""
        found = training.get("finetuning", {})
        known = {
            name: found.get(name)
            for name in ("regions", "before", "after", "base_before", "base_after")
        }
        parent, when = training.get("parent_version", 0), str(training.get("accepted", ""))
        return cls(int(parent), when, str(found.get("trains", "")), **known)


def numbered(checkpoint: Checkpoint, number: int) -> Checkpoint:
    """Note in a model's training record which version it is."""
    return _with(checkpoint, version=number)


def descended(checkpoint: Checkpoint, number: int) -> Checkpoint:
    """Note in a model's training record which version it becomes, from which, and when.

    Parameters
    ----------
    checkpoint
        Fine-tuned from a :func:`numbered` one.
    number
        Of the new version.
    """
    parent = checkpoint.metadata.training.get("version", 0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return _with(checkpoint, parent_version=parent, version=number, accepted=now)


def _with(checkpoint: Checkpoint, **more: int | str) -> Checkpoint:
    record = {**checkpoint.metadata.training, **more}
    return replace(checkpoint, metadata=replace(checkpoint.metadata, training=record))
