"""Bars with names and values."""

from __future__ import annotations

import numpy as np
from qtpy.QtGui import QImage

from napari_relay.widgets.sections.bar_list import Bar, BarList


def _pixels(bars: BarList) -> np.ndarray:
    image = bars.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    memory = image.constBits()
    memory.setsize(image.sizeInBytes())
    rows = np.frombuffer(memory, np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width(), 2::-1].astype(int)


def test_a_bar_is_as_long_as_its_value_and_has_its_color(qtbot) -> None:
    bars = BarList("how much")
    qtbot.addWidget(bars)
    bars.resize(300, 50)
    bars.show_bars([Bar("mound", 0.25, "25.0%", "#ff0000"), Bar("road", 1.0, "100.0%", "#0000ff")])
    pixels = _pixels(bars)
    long, short = (
        int((np.abs(pixels - color).max(axis=-1) < 8).any(axis=0).sum())
        for color in ([0, 0, 255], [255, 0, 0])
    )
    assert long > 100
    assert abs(short - long / 4) <= 2


def test_a_list_is_as_high_as_its_rows_and_tells_screen_readers_what_it_shows(qtbot) -> None:
    bars = BarList("how much")
    qtbot.addWidget(bars)
    bars.show_bars([Bar("token 1", 0.5, "5.0%")])
    one = bars.height()
    bars.show_bars([Bar("token 1", 0.5, "5.0%"), Bar("token 2", 0.2, "2.0%")], mark=0.3)
    assert abs(bars.height() - 2 * one) <= 1
    assert bars.accessibleDescription() == "token 1 5.0%, token 2 2.0%"
    bars.show_bars([])
    assert bars.height() == 0
