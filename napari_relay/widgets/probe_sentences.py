"""What a probe or a comparison found, in plain words."""

from __future__ import annotations

from napari_relay.exploring import Probe, ViewChanges, WhatIf
from relay_tokens import ClassSchema

_NAMED = 2
"""Kinds of change that are named; the rest is counted only."""
_NOTHING = 0.0005
"""Less than this is no change of probability worth telling, and rounds to 0.0%."""


def place_sentence(probe: Probe, classes: ClassSchema) -> str:
    """Which class the place is."""
    where = f"Row {probe.place.row}, column {probe.place.col}"
    if not probe.has_data:
        return f"{where}: there is no data here, so the model's answer means nothing."
    best = int(probe.probabilities.argmax())
    return f"{where}: {classes.names[best]}, {probe.probabilities[best]:.1%}"


def share_sentence(probe: Probe) -> str:
    """How much came out of the wide view, and what that number is."""
    return (
        f"An estimated {probe.share:.0%} of what the model holds of this place in the end came "
        "out of the wide view: traced through attention, which shows what was read, not what "
        "decided. On the class of this place the detailed and the wide branch are "
        f"{probe.disagreement:.0%} apart."
    )


def changes_sentence(found: ViewChanges, question: WhatIf, classes: ClassSchema) -> str:
    """How many pixels change class, into what, and how much probability moves."""
    tally, parts = found.tally, []
    if found.total > 1:
        parts.append(f"{count(found.done)} of {count(found.total)} tiles.")
    parts.append(
        f"{_question(question)}, {count(tally.changed)} of {count(tally.pixels)} pixels "
        f"({percent(tally.share)}) change class{_kinds(found, classes)}."
    )
    parts.append(_moved(tally.mean_moved))
    if found.left_out:
        parts.append(f"{count(found.left_out)} tiles further out in the view are not compared.")
    return " ".join(parts)


def count(number: int) -> str:
    """A number with its thousands set apart; no line is broken within it."""
    return f"{number:,}".replace(",", "\u202f")


def percent(share: float) -> str:
    """A share in percent; a small one is not written as none."""
    return "< 0.1%" if 0 < share < _NOTHING else f"{share:.1%}"


def _question(question: WhatIf) -> str:
    if question.elsewhere is not None:
        row, col = question.elsewhere
        return f"With the wide view of row {row}, column {col} (green)"
    if question.kind == "cut":
        return "With the relay tokens cut off from the wide view"
    return "With a blank wide view"


def _kinds(found: ViewChanges, classes: ClassSchema) -> str:
    largest = found.tally.largest[:_NAMED]
    named = [f"{classes.names[a]} → {classes.names[b]} {count(n)}" for (a, b), n in largest]
    more = len(found.tally.transitions) > _NAMED
    return (": " if named else "") + ", ".join(named) + (" and others" if more else "")


def _moved(mean: float) -> str:
    if abs(mean) < _NOTHING:
        return "The probability of the class chosen before stays as it was, on average."
    way = "falls" if mean < 0 else "rises"
    points = f"{abs(mean) * 100:.1f} percentage points"
    return f"The probability of the class chosen before {way} by {points} on average."
