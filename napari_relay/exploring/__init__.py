"""What a prediction rests on: probes, what-if runs, and what each relay token looks for."""

from __future__ import annotations

from napari_relay.exploring.changes import Changes, ChangeTally
from napari_relay.exploring.crop_runner import require_relay_tokens
from napari_relay.exploring.place import Place
from napari_relay.exploring.probe import Probe, probe
from napari_relay.exploring.version_changes import version_changes
from napari_relay.exploring.view_changes import ViewChanges, view_changes
from napari_relay.exploring.what_if import WhatIf, what_if

__all__ = [
    "ChangeTally",
    "Changes",
    "Place",
    "Probe",
    "ViewChanges",
    "WhatIf",
    "probe",
    "require_relay_tokens",
    "version_changes",
    "view_changes",
    "what_if",
]
