"""What a session remembers survives being written and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_relay.sessions import FileReference, Manifest, read_manifest
from napari_relay.sessions.formats import MANIFEST, write_manifest
from relay_tokens import UserError

FINITE = {"allow_nan": False, "allow_infinity": False}
MANIFESTS = st.from_type(Manifest).filter(lambda m: m.format == 1)
NAMES = st.text(st.characters(exclude_characters="/\\\0", codec="utf-8"), min_size=1, max_size=20)
PATHS = st.lists(NAMES.filter(lambda n: n not in (".", "..")), min_size=1, max_size=4)

for _number in (float,):
    st.register_type_strategy(_number, st.floats(**FINITE))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(manifest=st.builds(Manifest, format=st.just(1)))
def test_any_manifest_is_read_as_it_was_written(tmp_path: Path, manifest: Manifest) -> None:
    write_manifest(tmp_path / "s.relay", manifest)
    assert read_manifest(tmp_path / "s.relay") == manifest


@given(place=PATHS, base=PATHS)
def test_a_relative_path_leads_back_to_the_file(place: list[str], base: list[str]) -> None:
    path, folder = Path("/", *place), Path("/", *base)
    reference = FileReference.of(path, folder, sized=False)
    assert reference.candidates(folder) == [path, path]


@given(place=PATHS, old=PATHS, new=PATHS)
def test_a_missing_file_stays_where_it_was_seen_from_a_copy(
    place: list[str], old: list[str], new: list[str]
) -> None:
    path, before, after = Path("/none", *place), Path("/", *old), Path("/", *new)
    reference = FileReference.of(path, before, sized=False)
    assert reference.seen_from(before, after).candidates(after) == [path, path]


def test_a_session_of_a_newer_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"format": 7, "images": []}))
    with pytest.raises(UserError, match=r"newer napari-relay.*format 7.*update"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"format": true}', '{"format": 1, "images": [{"name": 3}]}']
)
def test_a_damaged_session_is_one_sentence_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"session\.json is damaged"):
        read_manifest(tmp_path)


def test_a_folder_without_a_session_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no session"):
        read_manifest(tmp_path)
