"""The images worked on last, on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_relay.folders import data_folder
from napari_relay.geometry import Window
from napari_relay.images.recent_images import (
    MOST,
    RecentImage,
    forget_image,
    recent_images,
    remember_image,
)
from relay_tokens import UserError


@pytest.fixture
def record() -> Path:
    path = data_folder() / "recent-images.json"
    path.parent.mkdir(parents=True)
    return path


def image(path: Path, **known: object) -> RecentImage:
    return RecentImage((path,), **known)  # type: ignore[arg-type]


def test_nothing_is_remembered_at_first() -> None:
    assert recent_images() == ()


def test_the_latest_comes_first_with_its_model_version_and_place(tmp_path: Path) -> None:
    remember_image(image(tmp_path / "a.tif"))
    known = image(tmp_path / "b.tif", model="tissue", version=2, view=Window(1, -2, 30, 40))
    remember_image(known)
    assert recent_images() == (known, image(tmp_path / "a.tif"))


def test_an_image_is_listed_once_and_moves_to_the_front(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "a.tif"):
        remember_image(image(tmp_path / name))
    assert [one.name for one in recent_images()] == ["a.tif", "b.tif"]


def test_the_list_is_bounded(tmp_path: Path) -> None:
    for number in range(MOST + 3):
        remember_image(image(tmp_path / f"{number}.tif"))
    assert len(recent_images()) == MOST
    assert recent_images()[-1].name == "3.tif"


def test_a_stack_is_one_entry(tmp_path: Path) -> None:
    remember_image(RecentImage((tmp_path / "ortho.tif", tmp_path / "dtm.tif")))
    (one,) = recent_images()
    assert one.name == "ortho.tif + dtm.tif"


def test_a_relative_path_is_found_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tif").touch()
    monkeypatch.chdir(tmp_path)
    remember_image(image(Path("a.tif")))
    monkeypatch.chdir("/")
    assert recent_images()[0].missing is None


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "here.tif").touch()
    stack = RecentImage((tmp_path / "here.tif", tmp_path / "gone.tif"))
    assert stack.missing == tmp_path / "gone.tif"


def test_what_is_forgotten_is_gone_from_the_list_alone(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    remember_image(image(tmp_path / "a.tif"))
    remember_image(image(tmp_path / "b.tif"))
    forget_image(image(tmp_path / "a.tif"))
    assert [one.name for one in recent_images()] == ["b.tif"]
    assert (tmp_path / "a.tif").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "7",
        '{"paths": 1}',
        '[{"paths": []}]',
        "[1]",
        '[{"paths": ["a"], "model": null, "version": "x", "view": null}]',
        '[{"paths": ["a"], "model": 3, "version": 0, "view": null}]',
        '[{"paths": ["a"], "model": null, "version": 0, "view": [1, 2]}]',
        "\x00\xff",
    ],
)
def test_a_damaged_record_is_an_empty_list_and_is_mended_by_the_next_image(
    record: Path, tmp_path: Path, text: str
) -> None:
    record.write_text(text, encoding="latin-1")
    assert recent_images() == ()
    remember_image(image(tmp_path / "a.tif"))
    assert recent_images() == (image(tmp_path / "a.tif"),)
    assert json.loads(record.read_text())


def test_a_folder_that_cannot_be_written_is_one_sentence(record: Path, tmp_path: Path) -> None:
    record.parent.rmdir()
    record.parent.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=str(record.parent)):
        remember_image(image(tmp_path / "a.tif"))


def test_nothing_half_written_stays(record: Path, tmp_path: Path) -> None:
    remember_image(image(tmp_path / "a.tif"))
    assert list(record.parent.iterdir()) == [record]
