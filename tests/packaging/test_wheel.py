"""A built wheel is whole, and works where the source tree is not."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

USE_INSTALLED = """
import json
from pathlib import Path

import napari_relay
import relay_tokens
from npe2 import PluginManager
from relay_tokens import load_model, zoo_names

manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-relay")
layers = manager.commands.execute("napari-relay.open_slide_sample")
print(json.dumps({
    "packages": [napari_relay.__file__, relay_tokens.__file__],
    "display_name": manifest.display_name,
    "version": manifest.package_version,
    "models": {name: len(load_model(name).metadata.classes) for name in zoo_names()},
    "sample_shape": layers[0][1]["metadata"]["napari-relay"].shape,
}))
"""


def run(*command: object, cwd: Path = ROOT) -> str:
    finished = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": ""},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def source_files(package: Path) -> set[str]:
    """Files of a package in the source tree, as they are to be named in the wheel."""
    files = (
        path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(package.parent).as_posix() for path in files}


@pytest.mark.parametrize("package", ["napari_relay", "models/relay_tokens"])
def test_the_wheel_holds_every_file_of_both_packages(names, package):
    assert source_files(ROOT / package) <= names


@pytest.mark.parametrize(
    "pattern",
    [
        r"napari_relay/napari\.yaml",
        r"napari_relay/py\.typed",
        r"relay_tokens/py\.typed",
        r"napari_relay/sample_data/CMU-1-Small-Region\.svs",
        r"napari_relay/sample_data/synthetic-terrain\.tif",
        r"relay_tokens/zoo/[^/]+/model\.safetensors",
        r"relay_tokens/zoo/[^/]+/config\.json",
        r"napari_relay-.*\.dist-info/licenses/LICENSE",
    ],
)
def test_the_wheel_holds(names, pattern):
    assert any(re.fullmatch(pattern, name) for name in names)


def test_the_wheel_holds_nothing_beside_the_two_packages(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "napari_relay",
        "relay_tokens",
    }


def test_the_slide_in_the_wheel_is_the_file_and_not_the_link(wheel):
    slide = "napari_relay/sample_data/CMU-1-Small-Region.svs"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(slide) == (ROOT / slide).read_bytes()


@pytest.fixture
def clean_python(tmp_path: Path, wheel: Path) -> Path:
    """A new environment with the wheel, that sees what else is installed here.

    A plain path in a ``.pth`` is searched, but its own ``.pth`` files, the
    editable install's among them, are not read.
    """
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--ignore-installed", wheel)
    return python


def test_an_installed_wheel_is_found_by_napari_and_runs(clean_python, tmp_path):
    told = json.loads(run(clean_python, "-c", USE_INSTALLED, cwd=tmp_path).splitlines()[-1])
    assert all(str(tmp_path) in path for path in told["packages"])
    assert told["display_name"] == "Relay"
    assert told["version"]
    assert min(told["models"].values()) >= 2
    assert told["sample_shape"] == [2967, 2220]
