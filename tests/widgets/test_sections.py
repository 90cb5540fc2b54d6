"""Sections of the panel: they fold, and say why they cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel

from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.sections.section import FOLDED, Section
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def _nothing_folded(qapp: QApplication) -> Iterator[None]:
    qapp.setProperty(FOLDED, [])
    yield
    qapp.setProperty(FOLDED, [])


def make(qtbot, title: str = "Step") -> tuple[Section, QLabel]:
    section = Section(title)
    content = QLabel("content")
    section.add(content)
    qtbot.addWidget(section)
    section.show()
    return section, content


def click(qtbot, section: Section) -> None:
    qtbot.mouseClick(section.heading, Qt.MouseButton.LeftButton)


def test_a_click_on_the_heading_folds_the_section_and_another_opens_it(qtbot) -> None:
    section, content = make(qtbot)
    assert content.isVisible()
    click(qtbot, section)
    assert not content.isVisible()
    click(qtbot, section)
    assert content.isVisible()


def test_what_is_folded_stays_so_when_the_panel_is_made_anew(qtbot) -> None:
    section, _ = make(qtbot)
    click(qtbot, section)
    _, content = make(qtbot)
    assert not content.isVisible()
    _, other = make(qtbot, "Another step")
    assert other.isVisible()


def test_a_disabled_section_is_folded_with_the_reason_beside_its_title(qtbot) -> None:
    section, content = make(qtbot)
    section.explain("open an image first")
    assert section.reason.text() == ""
    section.setEnabled(False)
    assert section.reason.text() == "open an image first"
    assert not content.isVisible()
    section.setEnabled(True)
    assert section.reason.text() == ""
    assert content.isVisible()


def test_a_section_that_was_folded_stays_so_when_it_can_be_used_again(qtbot) -> None:
    section, content = make(qtbot)
    click(qtbot, section)
    section.setEnabled(False)
    section.setEnabled(True)
    assert not content.isVisible()


def test_the_panel_names_what_is_needed_next(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    assert panel.model.reason.text() == "open an image first"
    assert panel.export.reason.text() == "open an image first"
    panel.controller.open(write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    assert panel.model.reason.text() == ""
    assert panel.prediction.reason.text() == "choose a model first"
    panel.controller.use_model(save_untrained(tmp_path / "colors"))
    assert panel.prediction.reason.text() == ""
    assert panel.export.body.isVisible()


def test_nothing_in_the_panel_is_wider_than_the_panel(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    panel.controller.open(write_picture(tmp_path / f"{'a long name ' * 8}.tif"))
    wait_for(lambda: panel.controller.session is not None)
    panel.controller.use_model(save_untrained(tmp_path / "colors"))
    for section in panel._sections():
        assert section.minimumSizeHint().width() <= panel.minimumWidth(), section.title
