from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.folders import cache_folder


@pytest.fixture
def pyramids() -> Path:
    """Folder of built levels, of this test alone."""
    return cache_folder() / "pyramids"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
