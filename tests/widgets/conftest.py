"""A display for the tests that need Qt: napari draws with OpenGL, which needs a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot

from napari_relay.widgets.panel import RelayPanel
from tests.colors import save_untrained, write_picture

THOROUGH = {
    "test_activity",
    "test_attention",
    "test_bands",
    "test_file_drops",
    "test_gallery",
    "test_layer_picture",
    "test_model_section",
    "test_probe",
    "test_saving_attention",
    "test_sessions",
    "test_shortcuts",
    "test_start_page",
    "test_what_if",
    "test_while_running",
}
"""Files that `.ci/run` has no time for: a test with a viewer takes seconds."""

_SERVER = pytest.StashKey[subprocess.Popen[bytes]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in THOROUGH and "widgets" in item.path.parts:
            item.add_marker(pytest.mark.thorough)


def pytest_configure(config: pytest.Config) -> None:
    os.environ["NAPARI_CONFIG"] = ""  # neither read nor write anybody's own settings
    if not _needs_a_display(config):
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise pytest.UsageError("the widget tests need a display: apt-get install xvfb")
    reader, writer = os.pipe()
    arguments = [program, "-displayfd", str(writer), "-screen", "0", "1920x1200x24"]
    config.stash[_SERVER] = subprocess.Popen(
        arguments, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writer)
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        raise pytest.UsageError(f"{program} did not start")
    os.environ["DISPLAY"] = f":{number}"


def _needs_a_display(config: pytest.Config) -> bool:
    """Each process of several has its own: on one, their windows take the keyboard in turn."""
    if hasattr(config, "workerinput"):
        return True
    shares_the_tests = bool(config.getoption("numprocesses", None))
    has_one = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not (shares_the_tests or has_one)


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_SERVER, None)
    if server is not None:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def wait_for(qtbot) -> Callable[[Callable[[], bool]], None]:
    """Let Qt work until a condition holds; fail after three minutes."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 180
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in three minutes"
            qtbot.wait(10)

    return wait


@pytest.fixture
def viewer(make_napari_viewer) -> Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer: Viewer, wait_for: Callable[[Callable[[], bool]], None]) -> Iterator[RelayPanel]:
    made = RelayPanel(viewer)
    viewer.window.add_dock_widget(made, name="Relay", area="right")
    yield made
    made.controller.cancel()
    made.controller.finetuner.cancel()
    runners = (made.controller.jobs, made.controller.finetuner.jobs)
    wait_for(lambda: not any(jobs.running for jobs in runners))
    made.controller.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "picture.tif")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "colors")


@pytest.fixture
def ready(
    panel: RelayPanel,
    picture: Path,
    model: Path,
    wait_for: Callable[[Callable[[], bool]], None],
    qtbot: QtBot,
) -> RelayPanel:
    """A panel with an image open and a model chosen."""
    panel.controller.open(picture)
    wait_for(lambda: panel.controller.session is not None)
    wait_for(lambda: not panel.controller.jobs.running)
    assert panel.controller.use_model(model)
    qtbot.wait(100)  # sections unfold, and a click must find its button
    return panel
