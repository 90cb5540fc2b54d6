"""Stores that are predicted once and only read."""

from __future__ import annotations

from functools import cache

import pytest

from napari_relay.exporting.placement import Placement
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore
from tests.exporting.rasters.predictions import Predicted, make_prediction


@pytest.fixture(scope="session")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Predicted:
    """Predict 200 × 1100 pixels somewhere, with probabilities; once for each place."""

    @cache
    def made(placement: Placement | None = None) -> tuple[PredictionStore, PyramidImage]:
        return make_prediction(tmp_path_factory.mktemp("predicted") / "s", placement)

    return made
