"""Sessions on disk: which images, how they are shown, who may write, how they are copied."""

from __future__ import annotations

from napari_relay.sessions.copying import CopyProgress, SessionCopy
from napari_relay.sessions.formats import SUFFIX, is_session, read_manifest
from napari_relay.sessions.lock import SessionLock
from napari_relay.sessions.manifest import (
    AttentionLook,
    Camera,
    ClassLook,
    ImageEntry,
    ImageReference,
    ImageView,
    LayerLook,
    Manifest,
    ModelReference,
)
from napari_relay.sessions.project import Project
from napari_relay.sessions.references import FileReference
from napari_relay.sessions.versions import KeptVersions, ModelVersion

__all__ = [
    "SUFFIX",
    "AttentionLook",
    "Camera",
    "ClassLook",
    "CopyProgress",
    "FileReference",
    "ImageEntry",
    "ImageReference",
    "ImageView",
    "KeptVersions",
    "LayerLook",
    "Manifest",
    "ModelReference",
    "ModelVersion",
    "Project",
    "SessionCopy",
    "SessionLock",
    "is_session",
    "read_manifest",
]
