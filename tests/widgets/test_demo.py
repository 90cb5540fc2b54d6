"""The demo: a sample, a model, and what is in view first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from napari.viewer import Viewer

from napari_relay.geometry import Window
from napari_relay.landscapes import LANDSCAPE_CLASSES, Landscape, write_landscape_file
from napari_relay.samples import sample_landscape, sample_slide
from napari_relay.widgets.demo import LANDSCAPE, SLIDE, Demo, DemoRun
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.viewport import show_window, visible_window
from relay_tokens import ModelMetadata, RelayConfig, RelaySegmenter, save_checkpoint

Wait = Callable[[Callable[[], bool]], None]
SIDE = 400


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights for a landscape's bands and classes."""
    folder = tmp_path_factory.mktemp("models") / "land"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = RelayConfig(
            "vit_tiny_patch16_224",
            num_classes=4,
            in_channels=4,
            crop_size=64,
            backbone_options={"embed_dim": 48, "depth": 1, "num_heads": 3},
        )
        bands = ("red", "green", "blue", "elevation")
        metadata = ModelMetadata(
            "land", LANDSCAPE_CLASSES, bands, (120.0,) * 3 + (25.0,), (40.0,) * 3 + (2.0,)
        )
        save_checkpoint(folder, RelaySegmenter(config).eval(), metadata)
    return folder


@pytest.fixture
def land(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.landscape"
    write_landscape_file(Landscape(seed=3, size=(SIDE, SIDE)), path)
    return path


def run(panel: RelayPanel, wait_for: Wait, demo: Demo, *, view_only: bool) -> bool:
    """Run a demo to the end of its prediction; whether it was complete."""
    told: list[bool] = []
    DemoRun(panel, demo, told.append, view_only=view_only).start()
    wait_for(lambda: bool(told))
    return told[0]


def finished(panel: RelayPanel) -> np.ndarray:
    session = panel.controller.session
    assert session is not None
    assert session.store is not None
    return session.store.finished


def test_a_picture_waits_for_no_more_than_what_is_in_view(
    panel: RelayPanel, wait_for: Wait, land: Path, model: Path, viewer: Viewer
) -> None:
    view = Window(10, 10, 90, 90)
    assert run(panel, wait_for, Demo(land, model, view), view_only=True)
    assert finished(panel)[0, 0]
    assert not finished(panel)[-1].any()
    assert visible_window(viewer, viewer.layers[0]).intersection(view) == view


def test_with_a_person_the_rest_follows(
    panel: RelayPanel, wait_for: Wait, land: Path, model: Path
) -> None:
    assert run(panel, wait_for, Demo(land, model, Window(10, 10, 90, 90)), view_only=False)
    assert finished(panel).all()


def test_it_is_said_that_the_land_is_synthetic(
    panel: RelayPanel, wait_for: Wait, land: Path, model: Path
) -> None:
    assert run(panel, wait_for, Demo(land, model, Window(0, 0, 9, 9)), view_only=True)
    assert "synthetic: landscape, seed 3, scale 1" in panel.image.facts.text()
    assert "synthetic" in sample_landscape().stem
    # It has an elevation to show the relief of, but opens in its colours.
    assert panel.image.relief.currentText() == "Colours"


def test_a_model_that_cannot_be_loaded_ends_the_demo(
    panel: RelayPanel, wait_for: Wait, land: Path, tmp_path: Path
) -> None:
    assert not run(panel, wait_for, Demo(land, tmp_path / "none"), view_only=True)


def test_the_demos_show_the_samples() -> None:
    assert (LANDSCAPE.image, SLIDE.image) == (sample_landscape(), sample_slide())
    assert LANDSCAPE.view is not None
    assert LANDSCAPE.view.area < 4e6  # what two cores predict in two minutes


@pytest.mark.parametrize("window", [Window(5, 7, 300, 100), Window(-40, 100, 60, 240)])
def test_what_is_looked_at_fills_the_canvas(
    panel: RelayPanel, wait_for: Wait, land: Path, viewer: Viewer, window: Window
) -> None:
    panel.controller.open(land)
    wait_for(lambda: panel.controller.session is not None)
    show_window(viewer, viewer.layers[0], window)
    seen = visible_window(viewer, viewer.layers[0])
    assert abs((seen.y0 + seen.y1) - (window.y0 + window.y1)) <= 3
    assert abs((seen.x0 + seen.x1) - (window.x0 + window.x1)) <= 3
    spare = (seen.height - window.height, seen.width - window.width)
    assert 0 <= min(spare) <= 4
