from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.folders import cache_folder
from tests.images.rasters import photo, ramp, write


@pytest.fixture
def pyramids() -> Path:
    """Folder of built levels, of this test alone."""
    return cache_folder() / "pyramids"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def survey(tmp_path, rng) -> list[Path]:
    """An orthophoto of 0.5 m, and a terrain model of 2 m that begins elsewhere and ends later."""
    ortho = write(tmp_path / "ortho.tif", photo(rng, 240, 200), size=0.5)
    dtm = write(tmp_path / "dtm.tif", ramp(70, 70), size=2.0, left=400_010.3, top=1_500_000.0 - 8.7)
    return [ortho, dtm]
