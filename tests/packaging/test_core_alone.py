"""The models work where nothing but what they need is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NEEDED = ("torch", "timm", "safetensors", "numpy")
UNWANTED = ("napari", "dask", "zarr", "qtpy", "PyQt5", "PyQt6", "tifffile", "skimage")

pytestmark = pytest.mark.slow

USE = f"""
import importlib.util, json
import torch
import relay_tokens
from relay_tokens import RelayConfig, RelaySegmenter, load_model, zoo_names

options = {{"embed_dim": 48, "depth": 1, "num_heads": 3}}
config = RelayConfig("vit_tiny_patch16_224", 2, crop_size=32, backbone_options=options)
crops = torch.zeros(1, 3, 32, 32)
print(json.dumps({{
    "file": relay_tokens.__file__,
    "installed": [n for n in {UNWANTED!r} if importlib.util.find_spec(n) is not None],
    "shape": list(RelaySegmenter(config)(crops, crops).local_logits.shape),
    "zoo": [load_model(name).metadata.name for name in zoo_names()],
}}))
"""


def _closure(names: tuple[str, ...]) -> dict[str, importlib.metadata.Distribution]:
    """All installed distributions that some need, directly or not."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        waiting += _required(found[name])
    return found


def _required(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A new environment in which only what the models need can be found."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = tmp_path / "packages"
    packages.mkdir()
    for distribution in _closure(NEEDED).values():
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    (packages / "relay_tokens").symlink_to(ROOT / "models" / "relay_tokens")
    return python


def test_the_models_run_without_napari_dask_and_qt(bare_python: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "packages")}
    command = [bare_python, "-c", USE]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["installed"] == []
    assert told["file"].startswith(str(tmp_path))
    assert told["shape"] == [1, 2, 32, 32]
    assert "tissue-vit-tiny" in told["zoo"]
    assert sys.prefix not in told["file"]
