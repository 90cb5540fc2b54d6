"""A session with a picture beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_relay.images import open_image
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.sessions import ImageEntry, ImageReference, Manifest, Project
from tests.colors import write_picture


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return write_picture(tmp_path / "work" / "picture.tif")


@pytest.fixture
def project(tmp_path: Path, picture: Path) -> Project:
    """A session beside its picture, written and let go."""
    made = Project.create(tmp_path / "work" / "site.relay")
    made.put(Manifest((entry_of(made, picture),)))
    made.flush()
    made.close()
    return made


def entry_of(project: Project, picture: Path) -> ImageEntry:
    fingerprint = image_fingerprint(open_image(picture))
    folder = project.entry_folder(project.folder_for(picture.stem, fingerprint))
    return ImageEntry(picture.name, folder, ImageReference((project.refer(picture),), fingerprint))
