"""One page: how the work goes, and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtWidgets import QWidget

from napari_relay.widgets.reading_window import ReadingWindow
from napari_relay.widgets.shortcuts import Shortcut

_FLOW = (
    ("Image", "Open an image or drop its file on the canvas; choose the bands you see."),
    ("Model", "Choose one that fits the image; its card says what it was trained on."),
    (
        "Predict",
        "What is in view, or all of it. Look around meanwhile: what you look at comes next. "
        "Cancel keeps what is done.",
    ),
    ("Explore", "The legend, how strongly the mask covers the image, and how sure the model is."),
    ("Attention", "Where the relay tokens carry information between the detailed and wide crop."),
    (
        "Probe",
        "Click a place: how sure the model is there, and where in the wide view its context came "
        "from; What if shows what would change without it.",
    ),
    (
        "Correct",
        "Look where the model is unsure; choose a class and paint over what is wrong, or click on "
        "what is right or wrong. Every stroke is saved at once.",
    ),
    (
        "Fine-tune",
        "Train on your corrections. The new weights are used if they are no worse; "
        "every version is kept, and Undo goes back.",
    ),
    ("Export", "Save the mask as a TIFF file, with the coordinates of the image."),
)
"""Each step of the work, as its section is called, and what is done there."""
_NAPARI_KEYS = (
    ("Space", "Move the image while the key is held, whatever tool is in hand"),
    ("Ctrl+Z / Ctrl+Shift+Z", "Take back a stroke, and paint it again"),
    ("[ / ]", "A smaller, a larger brush"),
    ("Ctrl+R", "Show the whole image"),
    ("V", "Show or hide the selected layer"),
    ("Ctrl+Shift+T", "Light or dark"),
)
"""napari's own keys that are of use here."""


class HelpSheet(ReadingWindow):
    """The help page in a window of its own."""

    def __init__(self, keys: Sequence[Shortcut], parent: QWidget | None = None) -> None:
        super().__init__("Relay: help", parent)
        self.page.setHtml(help_page(keys))


def help_page(keys: Sequence[Shortcut]) -> str:
    """The flow of the work and the given keys, as HTML."""
    ours = [(shortcut.label, shortcut.does) for shortcut in keys]
    return (
        "<h2>From an image to a mask</h2>"
        f"<p>The panel reads from top to bottom.</p>{_table(_FLOW)}"
        f"<h2>Keys</h2>{_table(ours)}"
        f"<h3>Keys of napari</h3>{_table(_NAPARI_KEYS)}"
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td style='padding: 3px 18px 3px 0; white-space: nowrap'><b>{escape(name)}</b></td>"
        f"<td style='padding: 3px 0'>{escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table cellspacing='0'>{cells}</table>"
