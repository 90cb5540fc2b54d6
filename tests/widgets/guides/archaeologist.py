"""docs/guides/archaeologist.md: mounds, reservoirs and temples in a laser-scanned landscape."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from tests.widgets.guides.person import Person

SITE = Window(4700, 3700, 700, 800)
"""Part of a site, and of the open country beside it."""
CORNERS = ((4760, 4060), (4760, 4400), (5000, 4400), (5000, 4060))
"""Of a compound, as a person clicks them."""


def open_the_landscape(person: Person, start: object) -> None:
    """Press *Landscape* on the start page, and look at the relief."""
    person.press_text(start, "Landscape")
    person.wait(lambda: person.panel.controller.session is not None)
    person.look("landscape-opened")
    person.zoom_to(SITE)
    person.choose(person.panel.image.relief, "Hillshade")
    person.look("landscape-relief")
    person.choose(person.panel.image.relief, "Colours")


def predict_the_compound(person: Person) -> None:
    """Choose the model, draw around a compound, and predict what is inside."""
    panel = person.panel
    person.choose(panel.model.choice, "landscape-vit-tiny")
    person.press(panel.prediction.draw_area)
    for corner in CORNERS:
        person.click(*corner)
    person.double_click(*CORNERS[-1])
    person.look("landscape-area")
    person.press(panel.prediction.predict_area)
    person.look("landscape-predicted")


def look_closer(person: Person) -> None:
    """Outlines only, and where the model is not sure."""
    person.panel.explore.outlines.setChecked(True)
    person.choose(person.panel.explore.score, "Entropy")
    person.look("landscape-entropy")
    person.choose(person.panel.explore.score, "nothing")
    person.panel.explore.outlines.setChecked(False)


def find_a_feature(person: Person, label: int) -> tuple[int, int]:
    """Level-0 pixel in the middle of a large feature of a class."""
    labels = person.store.read_labels(SITE)
    rows, cols = np.nonzero(labels == label)
    middle = np.argmin(np.hypot(rows - np.median(rows), cols - np.median(cols)))
    return SITE.y0 + int(rows[middle]), SITE.x0 + int(cols[middle])


def ask_why(person: Person, place: tuple[int, int]) -> None:
    """Probe a place, and take its wide view away."""
    probe = person.panel.probe
    person.press(probe.toggle)
    person.click(*place)
    person.wait(lambda: person.layers.prober.probe is not None)
    person.look("landscape-probe")
    person.choose(probe.what_if.kind, "the wide view is blank")
    person.press(probe.what_if.run)
    person.wait(lambda: person.layers.prober.comparison is not None)
    person.look("landscape-what-if")
    person.press(probe.clear)
    person.press(probe.toggle)


def save_the_mask(person: Person, path: Path) -> None:
    """Press *Save…* in the section *Export*."""
    with person.answering(path):
        person.press_text(person.panel.export, "Save…")
    person.wait_for_all()
