"""Sessions of every earlier format open; an example of each is stored beside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from napari_relay.images import open_image
from napari_relay.images.recent_images import RecentImage, remember_image
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.session import Session
from napari_relay.sessions import Project, is_session, read_manifest
from napari_relay.sessions.corrected_images import corrected_images
from napari_relay.sessions.manifest import FORMAT, from_document, to_json
from relay_tokens import UserError
from tests.colors import untrained

EXAMPLES = Path(__file__).parent / "examples"


@pytest.fixture
def format_0(tmp_path: Path) -> Path:
    """The folder that a version without sessions kept for the picture beside it."""
    shutil.copytree(EXAMPLES / "format-0", tmp_path / "old")
    return next(path for path in (tmp_path / "old").iterdir() if path.is_dir())


def test_a_folder_of_format_0_is_a_session_of_one_image(format_0: Path) -> None:
    assert is_session(format_0)
    (entry,) = read_manifest(format_0).images
    picture = format_0.parent / "stripes.png"
    assert entry.image.fingerprint == image_fingerprint(open_image(picture))
    assert entry.image.files == ()


def test_the_image_of_format_0_is_found_among_the_recent_ones(format_0: Path) -> None:
    remember_image(RecentImage((format_0.parent / "stripes.png",)))
    project = Project.open(format_0)
    (entry,) = project.manifest.images
    assert project.image_files(entry) == (format_0.parent / "stripes.png",)
    project.close()


def test_what_was_painted_in_format_0_is_there_and_the_session_becomes_one_of_now(
    format_0: Path,
) -> None:
    remember_image(RecentImage((format_0.parent / "stripes.png",)))
    project = Project.open(format_0)
    ((_, store),) = corrected_images(project, untrained().metadata)
    assert store.class_counts().tolist() == [0, 0, 30 * 40]
    assert project.flush()
    assert not project.flush()  # nothing has changed since
    assert read_manifest(format_0).format == FORMAT
    project.close()


def test_the_old_folder_is_still_found_when_its_image_is_opened_alone(
    format_0: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = format_0.parent / "home"
    (home / "data" / "sessions").mkdir(parents=True)
    shutil.copytree(format_0, home / "data" / "sessions" / format_0.name)
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(home))
    session = Session(open_image(format_0.parent / "stripes.png"))
    session.use_model(untrained())
    assert session.corrections is not None
    assert session.corrections.class_counts().tolist() == [0, 0, 30 * 40]
    session.close()


def test_the_stored_manifest_of_format_1_opens(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "format-1.json", tmp_path / "session.json")
    manifest = read_manifest(tmp_path)
    first, second = manifest.images
    assert first.model is not None
    assert first.model.lineage == (2, 1, 0)
    assert first.view.layers["prediction"].opacity == 0.3
    assert second.image.pixel_size == (0.5, 0.5)
    assert manifest.camera is not None
    assert manifest.camera.zoom == 0.75
    assert from_document(json.loads(to_json(manifest))) == manifest


def test_an_ordinary_folder_is_no_session(tmp_path: Path) -> None:
    assert not is_session(tmp_path)
    assert not is_session(tmp_path / "nowhere.relay")
    with pytest.raises(UserError):
        Project.open(tmp_path)
