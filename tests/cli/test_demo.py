"""``napari-relay demo``: which demo is shown, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_relay.cli import desktop


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path | None]]:
    """What the window was asked for; no window is opened."""
    asked: list[tuple[str, Path | None]] = []

    def run_demo(demo: str, screenshot: Path | None) -> int:
        asked.append((demo, screenshot))
        return 3

    window = SimpleNamespace(LANDSCAPE="landscape", SLIDE="slide", run_demo=run_demo)
    monkeypatch.setattr(desktop, "_desktop", {"demo": window}.__getitem__)
    return asked


def test_the_landscape_is_said_to_be_synthetic(run, shown):
    result = run("demo")
    assert result.exit_code == 3
    assert "The landscape is synthetic" in result.stdout
    assert shown == [("landscape", None)]


def test_a_real_slide_is_shown_on_request(run, shown, tmp_path):
    result = run("demo", "--slide", "--screenshot", tmp_path / "demo.png")
    assert "synthetic" not in result.stdout
    assert shown == [("slide", tmp_path / "demo.png")]
