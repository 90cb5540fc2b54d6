"""The command line explains itself, at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from napari_relay import __version__
from napari_relay.cli import cli

COMMANDS = ("app", "demo", "predict", "train", "tune", "models", "export-model", "info", "tissue")


def help_of(*command: str) -> str:
    result = CliRunner().invoke(cli, [*command, "--help"], terminal_width=100)
    assert result.exit_code == 0
    return " ".join(result.output.split())


def test_the_help_names_every_command():
    text = help_of()
    assert all(f" {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command):
    assert f"Example: napari-relay {command}" in help_of(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_uses_only_options_that_exist(command):
    text = help_of(command)
    example = text.split("Example: ")[1].split(" ╰")[0]
    used = [word for word in example.split() if word.startswith("--")]
    assert all(word in text.split("Example: ")[0] for word in used)


def test_the_version_is_the_package_s():
    assert CliRunner().invoke(cli, ["--version"]).output == f"napari-relay {__version__}\n"


def test_an_unknown_option_is_a_usage_error():
    assert CliRunner().invoke(cli, ["models", "--nonsense"]).exit_code == 2


@pytest.mark.parametrize("window", ["1,2,3", "a,b,c,d", "0,0,0,5"])
def test_a_window_that_is_none_is_a_usage_error(window):
    words = ["predict", "image.tif", "-m", "model", "-o", "mask.tif", "--window", window]
    assert CliRunner().invoke(cli, words).exit_code == 2


HEAVY = ("torch", "dask", "zarr", "skimage", "napari", "qtpy", "PyQt5", "PyQt6", "magicgui")


def test_help_imports_nothing_heavy():
    script = f"""
import json, sys
from napari_relay.cli import cli
try:
    cli(["predict", "--help"])
except SystemExit:
    pass
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(finished.stdout.splitlines()[-1]) == []


def test_help_is_there_at_once():
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "napari_relay.cli", "--help"], capture_output=True, check=True
        )
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5
