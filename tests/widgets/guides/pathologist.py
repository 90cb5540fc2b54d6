"""docs/guides/pathologist.md: segment a slide, correct the model, and let it learn."""

from __future__ import annotations

from napari_relay.geometry import Window
from tests.widgets.guides.person import Person

FIELD = Window(900, 700, 400, 460)
"""A field of view."""
STROKES = ((0, (1150, 800)), (1, (1050, 900)), (2, (1000, 1050)))
"""Class and place of each stroke."""


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


def paint(person: Person) -> None:
    """Paint a dab of each class where it belongs."""
    correction = person.panel.correction
    for label, (row, col) in STROKES:
        person.press(correction.classes.button(label))
        for step in range(0, 60, 12):
            person.click(row + step, col + step)
    person.look("slide-corrected")
    person.press_text(correction, "Move")


def learn(person: Person, steps: int) -> None:
    """Fine-tune, and look at what changed."""
    finetuning = person.panel.finetuning
    finetuning.steps.value = steps
    person.press(finetuning.start)
    person.wait(lambda: not person.panel.controller.jobs.running)
    person.look("slide-finetuned")
