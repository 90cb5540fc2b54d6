"""The gallery of the tokens, as a person uses it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.viewport import visible_window
from tests.widgets.attention.hand import click

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def gallery(predicted: RelayPanel, qtbot, wait_for: Wait):
    click(qtbot, predicted.attention.gallery)
    window = predicted.attention._gallery
    wait_for(lambda: window.gallery is not None and not window.looking)
    yield window
    window.close()


def test_the_gallery_shows_patterns_and_places_of_every_token(gallery, predicted) -> None:
    assert len(gallery.places) == 4
    assert "all 35 tiles" in gallery.title.text()
    assert "tokens read the patches" in gallery.title.text()
    for one, places in zip(gallery.gallery.tokens, gallery.places, strict=True):
        assert len(places) == len(one.places) >= 2
        assert all(not place.icon().isNull() for place in places)


def test_a_click_on_a_place_goes_there(gallery, predicted: RelayPanel, qtbot) -> None:
    place = gallery.gallery.tokens[1].places[-1]
    click(qtbot, gallery.places[1][-1])
    view = visible_window(predicted.controller.viewer, predicted.controller.current.base)
    np.testing.assert_allclose(view.center, place.window.center, atol=2)


def test_a_thumbnail_shows_the_image_at_its_place(gallery, predicted: RelayPanel) -> None:
    for token, buttons in zip(gallery.gallery.tokens, gallery.places, strict=True):
        for place, button in zip(token.places, buttons, strict=True):
            pixel = button.icon().pixmap(64, 64).toImage().pixelColor(28, 28)
            row, col = (int(v) - 3 for v in place.window.center)
            image = predicted.controller.session.image
            seen = image.read(place.window._replace(y0=row, x0=col, height=1, width=1))
            found = (pixel.red(), pixel.green(), pixel.blue())
            np.testing.assert_allclose(found, seen.pixels[0, 0], atol=45)


def test_another_model_or_image_closes_the_gallery(gallery, predicted: RelayPanel) -> None:
    predicted.controller.viewer.layers.remove("picture")
    assert not gallery.isVisible()
    assert gallery.places == []


def test_looking_through_nothing_says_what_to_do(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    click(qtbot, ready.attention.gallery)
    window = ready.attention._gallery
    wait_for(lambda: bool(said) and not window.looking)
    assert "Nothing is predicted yet" in said[0].message
    window.close()
