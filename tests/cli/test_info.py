"""``napari-relay info`` and ``models`` say what is there."""

from __future__ import annotations

from napari_relay.samples import sample_landscape
from relay_tokens import zoo_names


def words_of(result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_info_shows_size_bands_and_type(run, photo):
    text = words_of(run("info", photo))
    assert "110 × 90 px" in text
    assert "3 (red, green, blue)" in text
    assert "uint8" in text


def test_info_names_only_models_that_take_the_bands(run, photo, terrain):
    assert all(name in words_of(run("info", photo)) for name in zoo_names() if "tissue" in name)
    assert "tissue" not in words_of(run("info", terrain))


def test_info_says_that_a_landscape_is_synthetic(run, photo):
    text = words_of(run("info", sample_landscape()))
    assert "16384 × 16384 px" in text
    assert "synthetic landscape, seed 7001, scale 0.5" in text
    assert "synthetic" not in words_of(run("info", photo))


def test_models_lists_the_zoo(run):
    text = words_of(run("models"))
    assert all(name in text for name in zoo_names())
