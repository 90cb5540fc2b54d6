from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.landscapes import Landscape, read_landscape_file, write_landscape_file
from relay_tokens import UserError

GOOD = {"seed": 7, "size": [300, 400], "scale": 1.5}
SIDES = st.integers(1, 32768)


def file_of(folder: Path, **changed: object) -> Path:
    path = folder / "land.landscape"
    path.write_text(json.dumps(GOOD | changed))
    return path


@given(st.integers(0, 2**70), st.tuples(SIDES, SIDES), st.floats(0.25, 8))
def test_reading_gives_what_was_written(tmp_path_factory, seed, size, scale):
    path = tmp_path_factory.mktemp("lands") / "any.landscape"
    land = Landscape(seed, size, scale)
    write_landscape_file(land, path)
    assert read_landscape_file(path) == land


def test_a_person_may_write_the_scale_as_a_whole_number(tmp_path):
    assert read_landscape_file(file_of(tmp_path, scale=2)) == Landscape(7, (300, 400), 2.0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": "7"}, "seed is no whole number"),
        ({"seed": True}, "seed is no whole number"),
        ({"seed": -1}, "choose 0 or more"),
        ({"size": 300}, "size is not two whole numbers"),
        ({"size": [300, 400, 3]}, "size is not two whole numbers"),
        ({"size": [300.0, 400]}, "a side of size is no whole number"),
        ({"size": [0, 400]}, "choose 1 to 32768"),
        ({"scale": None}, "scale is no number"),
        ({"scale": 9}, "choose 0.25 to 8"),
        ({"scale": float("nan")}, "choose 0.25 to 8"),
        ({"scale": 10**400}, "too large"),
        ({"seeds": 3}, "seeds is unknown"),
    ],
)
def test_what_a_landscape_cannot_be_is_said(tmp_path, changed, said):
    path = file_of(tmp_path, **changed)
    with pytest.raises(UserError, match=said) as caught:
        read_landscape_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_everything_has_to_be_said(tmp_path, missing):
    path = tmp_path / "land.landscape"
    path.write_text(json.dumps({name: GOOD[name] for name in GOOD if name != missing}))
    with pytest.raises(UserError, match=f"{missing} is missing"):
        read_landscape_file(path)


@pytest.mark.parametrize("content", [b"[1, 2]", b"seed: 7", b"\xff\xfe", b"[" * 4000])
def test_other_content_is_shown_what_it_should_be(tmp_path, content):
    path = tmp_path / "land.landscape"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'not (a )?JSON.*write it like this: \{"seed": 7,'):
        read_landscape_file(path)


def test_a_long_file_is_not_read_to_its_end(tmp_path):
    path = file_of(tmp_path)
    path.write_text(path.read_text() + " " * 4096)
    with pytest.raises(UserError, match="it is too long"):
        read_landscape_file(path)


def test_a_file_that_is_there_is_kept(tmp_path):
    path = file_of(tmp_path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="is there already; choose another name"):
        write_landscape_file(Landscape(), path)
    assert path.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "none", tmp_path / "taken"):
        with pytest.raises(UserError, match="is no folder; make it first"):
            write_landscape_file(Landscape(), folder / "land.landscape")
