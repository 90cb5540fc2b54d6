"""A panel with an image, a model whose context matters, and a hand to use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from pytestqt.qtbot import QtBot

from napari_relay.widgets.panel import RelayPanel
from relay_tokens import RelayConfig, RelaySegmenter, save_checkpoint
from tests.colors import untrained, write_picture
from tests.widgets.probing.hand import Hand

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "picture.tif")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Random weights, so strong that the context decides here and there."""
    checkpoint = untrained()
    with torch.no_grad():
        for weight in checkpoint.model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    save_checkpoint(tmp_path / "colors", checkpoint.model, checkpoint.metadata)
    return tmp_path / "colors"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model of one scale."""
    metadata = untrained("plain").metadata
    options = {"embed_dim": 48, "depth": 2, "num_heads": 3}
    config = RelayConfig(
        "vit_tiny_patch16_224", 3, crop_size=64, context_factor=None, backbone_options=options
    )
    save_checkpoint(tmp_path / "plain", RelaySegmenter(config), metadata)
    return tmp_path / "plain"


@pytest.fixture
def ready(
    panel: RelayPanel, picture: Path, model: Path, wait_for: Wait, qtbot: QtBot
) -> Iterator[RelayPanel]:
    """A panel with an image open and a model chosen."""
    panel.controller.open(picture)
    wait_for(lambda: panel.controller.session is not None and not panel.controller.jobs.running)
    assert panel.controller.use_model(model)
    qtbot.wait(100)  # sections unfold, and a click must find its button
    yield panel
    for layers in panel.controller.layers:
        prober = layers.prober
        prober.close()
        wait_for(lambda p=prober: not (p.probing or p.comparing))


@pytest.fixture
def empty_hand(ready: RelayPanel, qtbot: QtBot, wait_for: Wait) -> Hand:
    return Hand(ready, qtbot, wait_for)


@pytest.fixture
def hand(empty_hand: Hand) -> Hand:
    """With the probe in it."""
    empty_hand.press(empty_hand.panel.probe.toggle)
    return empty_hand
