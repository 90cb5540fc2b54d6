"""The bands of an image that are shown, and their contrast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_relay.widgets.panel import RelayPanel
from tests.colors import write_picture

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def pixels() -> NDArray[np.float32]:
    """Four bands of other ranges each: a ramp across, down, and both turned round."""
    ramp = np.linspace(0, 1, 200, dtype=np.float32)
    across, down = np.broadcast_to(ramp, (200, 200)), np.broadcast_to(ramp[:, None], (200, 200))
    return np.stack([across * 3000, down * 40, 500 - across * 100, 1 - down], axis=-1)


@pytest.fixture
def opened(
    panel: RelayPanel, tmp_path: Path, pixels: NDArray[np.float32], wait_for: Wait
) -> RelayPanel:
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "bands.tif", pixels, tile=(64, 64), **options)
    panel.controller.open(tmp_path / "bands.tif")
    wait_for(lambda: panel.controller.session is not None)
    return panel


def shown(panel: RelayPanel) -> NDArray[np.uint8]:
    data = panel.controller.current.base.data
    level = data[0] if panel.controller.current.base.multiscale else data
    return np.asarray(level)[:200, :200]


def choose(panel: RelayPanel, text: str) -> None:
    box = panel.image.bands.shown
    box.setCurrentIndex(box.findText(text))
    assert box.currentText() == text
    box.activated.emit(box.currentIndex())


def names(panel: RelayPanel) -> list[str]:
    return list(panel.controller.session.image.bands)


def test_one_band_in_grey_has_the_contrast_of_that_band(
    opened: RelayPanel, pixels: NDArray[np.float32]
) -> None:
    band = names(opened)[3]
    choose(opened, f"{band} in grey")
    seen = shown(opened)
    assert (seen == seen[..., :1]).all()
    assert seen[0, 0, 0] == 255
    assert seen[-1, -1, 0] == 0
    assert np.ptp(seen[:, 100, 0]) == 255


def test_three_chosen_bands_are_each_stretched_by_themselves(opened: RelayPanel) -> None:
    choose(opened, "choose three…")
    fields = opened.image.bands
    assert all(box.isVisible() for box in fields.channels)
    for box, band in zip(fields.channels, (3, 0, 1), strict=True):
        box.setCurrentIndex(band)
        box.activated.emit(band)
    seen = shown(opened).astype(int)
    assert [int(np.ptp(seen[..., k])) for k in range(3)] == [255, 255, 255]
    assert seen[0, -1].tolist() == [255, 255, 0]


def test_the_first_bands_come_back_as_they_were(opened: RelayPanel) -> None:
    before = shown(opened)
    first = opened.image.bands.shown.itemText(0)
    choose(opened, f"{names(opened)[3]} in grey")
    choose(opened, first)
    assert np.array_equal(shown(opened), before)


def test_contrast_makes_that_share_of_the_pixels_black_and_white_and_auto_brings_it_back(
    opened: RelayPanel, wait_for: Wait, qtbot
) -> None:
    choose(opened, f"{names(opened)[0]} in grey")
    before = shown(opened)
    opened.image.bands.contrast.setValue((25, 75))
    wait_for(lambda: not np.array_equal(shown(opened), before))
    seen = shown(opened)[..., 0]
    assert (seen == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert (seen == 255).mean() == pytest.approx(0.25, abs=0.02)
    opened.image.bands.usual.click()
    assert np.array_equal(shown(opened), before)
    assert not opened.image.bands.usual.isEnabled()


def test_a_layer_without_colours_takes_the_contrast_as_its_own(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    ramp = np.broadcast_to(np.linspace(100, 200, 300, dtype=np.float32), (300, 300))
    tifffile.imwrite(tmp_path / "terrain.tif", ramp, tile=(64, 64))
    panel.controller.open(tmp_path / "terrain.tif")
    wait_for(lambda: panel.controller.session is not None)
    assert not panel.image.bands.shown.isVisible()
    layer = panel.controller.current.base
    panel.image.bands.contrast.setValue((10, 60))
    wait_for(lambda: layer.contrast_limits[0] > 105)
    assert layer.contrast_limits == pytest.approx([110, 160], abs=1)


def test_a_photograph_is_shown_as_it_is_and_says_so(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    panel.controller.open(write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    assert panel.image.bands.percentages.text() == "0–100 %"


def test_the_percentages_follow_the_bands(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 90, dtype=np.float32), (90, 90))
    pixels = np.stack([ramp, ramp, ramp, ramp / 255], axis=-1)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "photo.tif", pixels, tile=(64, 64), **options)
    panel.controller.open(tmp_path / "photo.tif")
    wait_for(lambda: panel.controller.session is not None)
    assert panel.image.bands.percentages.text() == "0–100 %"
    choose(panel, f"{names(panel)[3]} in grey")
    assert panel.image.bands.percentages.text() == "2–98 %"


def test_each_image_keeps_its_own_bands(opened: RelayPanel, tmp_path: Path, wait_for: Wait) -> None:
    text = f"{names(opened)[3]} in grey"
    choose(opened, text)
    first = opened.controller.current
    opened.controller.open(write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: len(opened.controller.layers) == 2)
    assert opened.image.bands.shown.currentText() == "red, green, blue"
    opened.controller.work_on(first)
    assert opened.image.bands.shown.currentText() == text


def test_bands_cannot_be_chosen_while_a_relief_is_shown_instead(
    panel: RelayPanel, wait_for: Wait
) -> None:
    from napari_relay.samples import sample_terrain

    panel.controller.open(sample_terrain())
    wait_for(lambda: panel.controller.session is not None)
    assert panel.image.bands.isEnabled()
    panel.image.relief.setCurrentIndex(1)
    panel.image.relief.activated.emit(1)
    assert not panel.image.bands.isEnabled()
    panel.image.relief.setCurrentIndex(0)
    panel.image.relief.activated.emit(0)
    assert panel.image.bands.isEnabled()
