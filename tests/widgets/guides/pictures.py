"""Take the pictures of docs/guides anew.

``xvfb-run -a -s "-screen 0 1920x1200x24" python -m tests.widgets.guides.pictures docs/images``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import imageio.v3
import numpy as np
from PIL import Image
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_relay.widgets.app import open_window, save_window
from napari_relay.widgets.start_page import StartPage
from tests.widgets.guides import archaeologist, pathologist, researcher
from tests.widgets.guides.person import Person

SIZE = (1400, 900)
WANTED = {
    "landscape-predicted",
    "landscape-what-if",
    "slide-corrected",
    "slide-finetuned",
    "attention-token",
    "attention-gallery",
    "attention-cut",
}
"""What the guides show of all that is looked at."""
STEPS = 60
"""Of the fine-tuning."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for follow in (_archaeologist, _pathologist, _researcher):
        _in_a_window(follow, folder)


def _in_a_window(follow: Callable[[Person, QWidget], None], folder: Path) -> None:
    panel = open_window()
    viewer = panel.controller.viewer
    viewer.window.resize(*SIZE)

    def look(name: str) -> None:
        QTest.qWait(1500)
        if name in WANTED:
            _take(panel.attention._gallery if name.endswith("gallery") else None, name)

    def _take(window: QWidget | None, name: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            png = Path(scratch) / "window.png"
            if window is None:
                save_window(viewer, png)
            else:
                window.grab().save(str(png))
            picture = np.asarray(Image.open(png).convert("RGB"))
        imageio.v3.imwrite(folder / f"guide-{name}.jpg", picture, quality=82)

    page = viewer.window._qt_window.findChildren(StartPage)[0]
    follow(Person(panel, _wait, look), page)
    viewer.close()
    QTest.qWait(500)


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        QTest.qWait(20)


def _archaeologist(person: Person, page: QWidget) -> None:
    archaeologist.open_the_landscape(person, page)
    archaeologist.predict_the_compound(person)
    archaeologist.look_closer(person)
    archaeologist.ask_why(person, archaeologist.find_a_feature(person, label=1))


def _pathologist(person: Person, page: QWidget) -> None:
    pathologist.open_the_slide(person, page)
    pathologist.find_what_is_unsure(person)
    pathologist.paint(person)
    pathologist.learn(person, STEPS)


def _researcher(person: Person, page: QWidget) -> None:
    researcher.predict_a_place(person, page)
    researcher.show_attention(person)
    researcher.open_the_gallery(person)
    researcher.cut_the_tokens(person)


if __name__ == "__main__":
    main()
