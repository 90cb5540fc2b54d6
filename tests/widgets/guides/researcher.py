"""docs/guides/researcher.md: what the relay tokens attend to."""

from __future__ import annotations

from pathlib import Path

from napari_relay.geometry import Window
from tests.widgets.guides.person import Person

PLACE = Window(4800, 3900, 320, 360)
"""Part of a site."""


def predict_a_place(person: Person, start: object) -> None:
    """Open the landscape, and predict what is in view."""
    person.press_text(start, "Landscape")
    person.wait(lambda: person.panel.controller.session is not None)
    person.zoom_to(PLACE)
    person.choose(person.panel.model.choice, "landscape-vit-tiny")
    person.press(person.panel.prediction.predict_view)
    person.wait_for_all()


def show_attention(person: Person) -> None:
    """The global branch, one token after the other, late blocks."""
    attention = person.panel.attention
    attention.shown.setChecked(True)
    attention.branch.value = "global"
    person.look("attention-global")
    attention.next_token()
    attention.blocks.setValue((4, 6))
    person.look("attention-token")


def open_the_gallery(person: Person) -> None:
    """What each token looks for."""
    person.press(person.panel.attention.gallery)
    gallery = person.panel.attention._gallery
    assert gallery is not None
    person.wait(lambda: not gallery.looking)
    person.look("attention-gallery")
    gallery.close()


def cut_the_tokens(person: Person) -> None:
    """Which pixels of the view need the wide view."""
    what_if = person.panel.probe.what_if
    person.choose(what_if.kind, "the relay tokens")
    person.press(what_if.run_view)
    person.wait(lambda: person.layers.prober.comparison is not None)
    person.look("attention-cut")


def save(person: Person, figure: Path, arrays: Path) -> None:
    """A figure for the paper, and the numbers behind it."""
    attention = person.panel.attention
    with person.answering(figure):
        person.press(attention.save_figure)
    person.wait(lambda: figure.exists())
    person.press_later("What is in view")
    with person.answering(arrays):
        person.press(attention.save_arrays)
    person.wait(lambda: arrays.exists())
    person.wait(lambda: not attention.saving.running)
