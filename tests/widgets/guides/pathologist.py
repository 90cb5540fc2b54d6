"""docs/guides/pathologist.md: segment a slide, correct the model, and let it learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.feature import peak_local_max

from napari_relay.geometry import Window
from tests.widgets.guides.person import Person

FIELD = Window(900, 700, 400, 460)
"""A field of view."""
DABS = 6
"""Dabs of the brush for each class."""


def open_the_slide(person: Person, start: object) -> None:
    """Press *Slide* on the start page, choose the model, and predict a field of view."""
    person.press_text(start, "Slide")
    person.wait(lambda: person.panel.controller.session is not None)
    person.choose(person.panel.model.choice, "tissue-vit-tiny")
    person.look("slide-opened")
    person.zoom_to(FIELD)
    person.press(person.panel.prediction.predict_view)
    person.look("slide-predicted")


def find_what_is_unsure(person: Person) -> None:
    """Show the entropy: bright is unsure."""
    person.choose(person.panel.explore.score, "Entropy")
    person.look("slide-entropy")
    person.choose(person.panel.explore.score, "nothing")


def middles(labels: NDArray[np.uint8], label: int) -> list[tuple[int, int]]:
    """Places ``(row, col)`` farthest inside the regions of a class, the deepest first."""
    inside = np.pad(labels == label, 1)
    depth = distance_transform_edt(inside)[1:-1, 1:-1]
    peaks = peak_local_max(depth, min_distance=25, num_peaks=DABS)
    return [(FIELD.y0 + int(row), FIELD.x0 + int(col)) for row, col in peaks]


def paint(person: Person) -> None:
    """Dab each class where it is beyond doubt."""
    correction, labels = person.panel.correction, person.store.read_labels(FIELD)
    for label in range(3):
        person.press(correction.classes.button(label))
        for place in middles(labels, label):
            person.click(*place)
    person.look("slide-corrected")
    person.press_text(correction, "Move")


def learn(person: Person, steps: int) -> None:
    """Fine-tune, and look at what changed."""
    finetuning = person.panel.finetuning
    finetuning.steps.value = steps
    person.press(finetuning.start)
    person.wait(lambda: person.panel.controller.finetuner.offer is not None)
    person.look("slide-finetuned")
    person.press(finetuning.offer.accept)
    person.wait_for_all()
