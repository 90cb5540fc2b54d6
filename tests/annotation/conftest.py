from __future__ import annotations

from pathlib import Path

import pytest

from napari_relay.annotation import CorrectionStore
from relay_tokens import ClassSchema


@pytest.fixture
def schema() -> ClassSchema:
    return ClassSchema.from_names(["background", "tissue", "nuclei"])


@pytest.fixture
def store(tmp_path: Path, schema: ClassSchema) -> CorrectionStore:
    """Corrections of an image of 3001 × 2003 pixels: three levels, padded."""
    return CorrectionStore.create(tmp_path / "store", (3001, 2003), schema, "slide-1")
