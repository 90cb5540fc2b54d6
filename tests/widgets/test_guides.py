"""The three worked examples of docs/guides, done in a real window on the real samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr

from napari_relay.images import open_image
from napari_relay.samples import sample_slide
from napari_relay.widgets.app import add_start_page
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.start_page import StartPage
from tests.widgets.guides import archaeologist, pathologist, researcher
from tests.widgets.guides.person import Person

Wait = Callable[[Callable[[], bool]], None]
STEPS = 8
"""Of the fine-tuning; the guide has the usual number."""

pytestmark = pytest.mark.slow


@pytest.fixture
def page(panel: RelayPanel) -> Iterator[StartPage]:
    made = add_start_page(panel)
    assert made is not None
    panel.controller.viewer.window.resize(1400, 900)
    yield made
    made.close_page()


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def person(panel: RelayPanel, wait_for: Wait, seen: list[str]) -> Iterator[Person]:
    made = Person(panel, wait_for, seen.append)
    yield made
    made.wait_for_all()


def test_an_archaeologist_finds_features_and_why_they_are_what_they_are(
    person: Person, page: StartPage, tmp_path: Path
) -> None:
    archaeologist.open_the_landscape(person, page)
    archaeologist.predict_the_compound(person)
    finished = person.store.finished
    assert 20 < finished.sum() < 120  # the compound, and not the rest of 146 689 tiles
    legend = person.panel.explore.legend
    assert legend.areas[1].text().endswith("m²")
    archaeologist.look_closer(person)
    place = archaeologist.find_a_feature(person, label=1)
    archaeologist.ask_why(person, place)
    archaeologist.save_the_mask(person, tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.crs.to_epsg() == 32648
        assert mask.read(1)[place] == 1


def test_a_pathologist_corrects_the_model_and_it_learns(person: Person, page: StartPage) -> None:
    pathologist.open_the_slide(person, page)
    assert all("m²" in area.text() for area in person.panel.explore.legend.areas)
    pathologist.find_what_is_unsure(person)
    pathologist.paint(person)
    corrections = person.layers.session.corrections
    assert corrections is not None
    assert (np.asarray(corrections.class_counts()) > 100).all()
    pathologist.learn(person, STEPS)
    assert person.layers.session.version.number == 1
    again = open_image(sample_slide())
    assert again.shape == person.layers.session.image.shape


def test_a_researcher_sees_what_the_tokens_attend_to_and_takes_it_along(
    person: Person, page: StartPage, tmp_path: Path
) -> None:
    researcher.predict_a_place(person, page)
    researcher.show_attention(person)
    names = [layer.name for layer in person.viewer.layers if layer.visible]
    assert any("Attention" in name for name in names)
    researcher.open_the_gallery(person)
    researcher.cut_the_tokens(person)
    assert person.panel.probe.what_if.found.text()
    figure, arrays = tmp_path / "figure.svg", tmp_path / "attention.ome.zarr"
    researcher.save(person, figure, arrays)
    assert "<svg" in figure.read_text(encoding="utf-8")
    assert "ome" in zarr.open_group(arrays, mode="r").attrs
