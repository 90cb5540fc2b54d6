"""Which model is used: how it fits, its card, and models from elsewhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from safetensors.torch import save_file

from napari_relay.images import open_image
from napari_relay.samples import sample_landscape, sample_slide
from napari_relay.widgets.model_import import ImportDialog
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.sections.model_section import card_text, describe
from relay_tokens import load_metadata, save_checkpoint, zoo_folder
from tests.colors import untrained, write_picture
from tests.relay_tokens.authors import vit_run

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def opened(panel: RelayPanel, tmp_path: Path, wait_for: Wait) -> RelayPanel:
    panel.controller.open(write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    return panel


@pytest.fixture
def authors(tmp_path: Path) -> tuple[Path, Path]:
    run = vit_run(crop=64)
    weights, settings = tmp_path / "relay.safetensors", tmp_path / "run.json"
    save_file({name: value.contiguous() for name, value in run.state.items()}, weights)
    settings.write_text(json.dumps(run.settings))
    return weights, settings


def dialog_of(panel: RelayPanel, authors: tuple[Path, Path]) -> ImportDialog:
    panel.model._ask_for_import()
    (dialog,) = panel.model.findChildren(ImportDialog)
    dialog.weights.path.setText(str(authors[0]))
    dialog.weights.chosen.emit(authors[0])
    dialog.settings.path.setText(str(authors[1]))
    return dialog


def press_ok(qtbot, dialog: ImportDialog) -> None:
    qtbot.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)


def test_a_model_that_fits_is_said_to_in_bands_and_pixels() -> None:
    text = describe(load_metadata(zoo_folder("tissue-vit-tiny")), open_image(sample_slide()))
    assert "Bands: red, green, blue ✓" in text
    assert "Pixels: trained at 0.499 µm ✓" in text


def test_other_pixels_and_bands_are_named_plainly(tmp_path: Path) -> None:
    image = open_image(write_picture(tmp_path / "picture.tif"))
    metadata = untrained().metadata
    coarse = describe(metadata, replace(image, pixel_size=(2.0, 2.0)))
    assert "⚠ Pixels: trained at 0.5 µm; this image's are 4 times coarser" in coarse
    unknown = describe(metadata, replace(image, pixel_size=None, unit=None))
    assert "how large this image's are is not known" in unknown
    other = describe(replace(metadata, bands=("nir", "red", "green")), image)
    assert "this image's red, green, blue are taken for them, in this order" in other


def test_bands_that_are_worked_out_of_the_elevation_are_named() -> None:
    metadata = replace(
        load_metadata(zoo_folder("slope-vit-tiny")),
        bands=("elevation", "slope"),
        mean=(0.0, 0.0),
        std=(1.0, 1.0),
    )
    text = describe(metadata, open_image(sample_landscape()))
    assert "elevation, slope ✓ (slope from the elevation)" in text


def test_the_card_of_a_shipped_model_is_read_in_a_window_of_its_own(
    opened: RelayPanel, qtbot
) -> None:
    assert not opened.model.read_card.isEnabled()
    opened.controller.use_model("tissue-vit-tiny")
    qtbot.mouseClick(opened.model.read_card, Qt.MouseButton.LeftButton)
    window = opened.model._card_window
    assert window is not None
    assert window.windowTitle() == "tissue-vit-tiny"
    text = window.page.toPlainText()
    assert "nuclei" in text
    assert "## " not in text
    window.close()


def test_a_model_without_a_card_gets_one_from_its_file(tmp_path: Path) -> None:
    assert card_text(untrained(), tmp_path).startswith("# colors")


def test_the_authors_weights_are_imported_and_used(
    opened: RelayPanel, authors: tuple[Path, Path], qtbot, wait_for: Wait
) -> None:
    dialog = dialog_of(opened, authors)
    assert dialog.name.text() == "relay"
    assert dialog.bands.text() == "red, green, blue"
    dialog.classes.setText("a, b, c, d")
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    press_ok(qtbot, dialog)
    wait_for(lambda: bool(closed))
    assert opened.model.choice.currentText() == "relay"
    opened.controller.use_model("tissue-vit-tiny")
    opened.model.choice.setCurrentIndex(opened.model.choice.findText("relay"))
    opened.model.choice.activated.emit(opened.model.choice.currentIndex())
    assert opened.controller.session.checkpoint.metadata.classes.names == ("a", "b", "c", "d")


def test_a_package_tells_everything_and_is_kept(
    opened: RelayPanel, tmp_path: Path, qtbot, wait_for: Wait
) -> None:
    kept = untrained("packed")
    save_checkpoint(tmp_path / "packed", kept.model, kept.metadata)
    with zipfile.ZipFile(tmp_path / "packed.bioimageio.zip", "w") as package:
        for file in (tmp_path / "packed").iterdir():
            package.write(file, file.name)
    opened.model._ask_for_import()
    (dialog,) = opened.model.findChildren(ImportDialog)
    dialog.weights.path.setText(str(tmp_path / "packed.bioimageio.zip"))
    assert not dialog.settings.isEnabled()
    assert not dialog.classes.isEnabled()
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    press_ok(qtbot, dialog)
    wait_for(lambda: bool(closed))
    assert opened.model.choice.currentText() == "packed"
    folder = tmp_path / "home" / "data" / "models" / "packed"
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    dialog.weights.path.setText("relay.ckpt")
    assert dialog.settings.isEnabled()


def test_what_is_wrong_is_said_in_the_dialog_which_stays(
    opened: RelayPanel, authors: tuple[Path, Path], qtbot, wait_for: Wait
) -> None:
    dialog = dialog_of(opened, authors)
    press_ok(qtbot, dialog)
    assert dialog.message.text() == "Name the classes, in order, with commas between them."
    dialog.classes.setText("a, b")
    dialog.mean.setText("1, x, 3")
    press_ok(qtbot, dialog)
    assert "Mean is '1, x, 3'" in dialog.message.text()
    dialog.mean.clear()
    press_ok(qtbot, dialog)
    wait_for(lambda: "has 4 classes and 2 are named" in dialog.message.text())
    assert dialog.isVisible()
    dialog.reject()


def test_a_model_from_a_damaged_folder_is_left_out_of_the_list(
    opened: RelayPanel, tmp_path: Path
) -> None:
    broken = tmp_path / "home" / "data" / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text("{")
    opened.model._find_imported()
    opened.model._refresh()
    assert opened.model.choice.findText("broken") < 0


def test_models_for_other_bands_are_greyed(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    tifffile.imwrite(tmp_path / "grey.tif", np.zeros((80, 80), np.uint8))
    panel.controller.open(tmp_path / "grey.tif")
    wait_for(lambda: panel.controller.session is not None)
    choice = panel.model.choice
    row = next(k for k in range(choice.count()) if choice.itemText(k).startswith("tissue"))
    assert not choice.model().item(row).isEnabled()
    assert "needs red, green, blue" in choice.itemText(row)
