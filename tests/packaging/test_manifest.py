"""The plugin's manifest says what napari needs to know."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from npe2 import PluginManifest

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "napari_relay" / "napari.yaml"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_the_manifest_in_the_root_is_the_packaged_one():
    assert (ROOT / "napari.yaml").resolve() == MANIFEST


def test_every_contribution_uses_a_declared_command(manifest):
    declared = {command.id for command in manifest.contributions.commands}
    used = [
        *manifest.contributions.readers,
        *manifest.contributions.writers,
        *manifest.contributions.sample_data,
        *manifest.contributions.widgets,
    ]
    assert {contribution.command for contribution in used} == declared


def test_menus_are_ones_that_napari_lets_plugins_use(manifest):
    from napari._app_model.constants import MenuId

    allowed = {menu.value for menu in MenuId.contributables()}
    assert set(manifest.contributions.menus) <= allowed


def test_every_python_name_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_every_suffix_that_opens_has_a_reader(manifest):
    from napari_relay.images import image_suffixes
    from napari_relay.widgets.layer_files.shapes import VECTOR_SUFFIXES

    patterns = {p for reader in manifest.contributions.readers for p in reader.filename_patterns}
    assert {f"*{suffix}" for suffix in (*image_suffixes(), *VECTOR_SUFFIXES)} == patterns


def test_folders_open_too(manifest):
    assert all(reader.accepts_directories for reader in manifest.contributions.readers)
