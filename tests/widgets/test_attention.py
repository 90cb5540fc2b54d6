"""Looking into attention, as a person does: fields, buttons, napari's layer list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import imageio.v3
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from napari_relay.inference import attention_cache
from napari_relay.inference.attention_maps import read_attention_stack
from napari_relay.widgets.attention_layers import AttentionLayers
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.sections.attention_section import AttentionSection
from napari_relay.widgets.viewport import visible_window
from relay_tokens import UserError

Wait = Callable[[Callable[[], bool]], None]


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def predicted(ready: RelayPanel, qtbot, wait_for: Wait) -> RelayPanel:
    """A panel with a whole prediction, 160 × 200 px of 0.5 µm, with attention in view."""
    qtbot.wait(50)  # the sections that a model opens find their places
    click(qtbot, ready.prediction.predict_all)
    wait_for(lambda: not ready.controller.jobs.running)
    ready.attention.shown.setChecked(True)
    wait_for(lambda: not shown(ready).reading)
    return ready


def shown(panel: RelayPanel) -> AttentionLayers:
    assert panel.controller.current is not None
    return panel.controller.current.attention


def values(panel: RelayPanel, branch: str = "local") -> np.ndarray:
    return np.asarray(shown(panel).layer(branch).data).copy()


def choose(panel: RelayPanel, wait_for: Wait, **fields: object) -> None:
    for name, value in fields.items():
        field = getattr(panel.attention, name)
        if name == "blocks":
            field.setValue(value)
        else:
            field.value = value
    wait_for(lambda: not shown(panel).reading)


@pytest.mark.parametrize("branch", ["local", "global"])
def test_each_branch_lies_exactly_over_the_image(
    predicted: RelayPanel, wait_for: Wait, branch: str
) -> None:
    choose(predicted, wait_for, branch=branch)
    session, layer = predicted.controller.session, shown(predicted).layer(branch)
    assert layer.name == f"Attention ({branch})"
    window = shown(predicted)._window
    found = session.store.attention_map(branch, "relay_to_patch", window=window)
    np.testing.assert_allclose(layer.data, found.values, rtol=2e-3)
    assert np.isfinite(found.values).all()
    # The middle of a cell is where the prediction says; a pixel of the image has 0.5 µm.
    for cell in ((0, 0), (3, 5)):
        place = np.array(found.translate) + np.array(cell) * found.factor
        np.testing.assert_allclose(layer.data_to_world(cell), place * 0.5)
        base = predicted.controller.current.base
        np.testing.assert_allclose(base.data_to_world(place), layer.data_to_world(cell))


def test_both_branches_can_be_shown_the_light_of_one_over_the_other(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    viewer, layers = predicted.controller.viewer, shown(predicted)
    viewer.layers.remove(layers.layer("local"))
    choose(predicted, wait_for, branch="global")
    predicted.attention.shown.setChecked(True)
    wait_for(lambda: not layers.reading)
    assert str(layers.layer("global").blending) == "translucent"
    choose(predicted, wait_for, branch="both")
    assert layers.shown == ["local", "global"]
    names = [layer.name for layer in viewer.layers]
    assert names[-3:] == ["Attention (local)", "Attention (global)", "Corrections"]
    assert str(layers.layer("global").blending) == "additive"
    for branch in ("local", "global"):
        assert np.isfinite(values(predicted, branch)).any()
    choose(predicted, wait_for, branch="local")
    assert layers.shown == ["local"]


def test_every_choice_shows_another_map(predicted: RelayPanel, wait_for: Wait) -> None:
    seen = [values(predicted)]
    for field, value in (("blocks", (2, 2)), ("token", 2), ("direction", "patch_to_relay")):
        choose(predicted, wait_for, **{field: value})
        seen.append(values(predicted))
    for one, other in pairwise(seen):
        assert not np.allclose(one, other, equal_nan=True)


def test_a_range_of_blocks_is_the_mean_of_them(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    section = ready.attention
    assert (section.blocks.minimum(), section.blocks.maximum()) == (1, 2)
    assert section.choice().block is None
    section.blocks.setValue((2, 2))
    assert section.choice().block == 1
    section.blocks.setRange(1, 3)
    section.blocks.setValue((1, 2))
    assert section.choice().block == (0, 1)


def test_what_was_read_ahead_is_shown_at_once_without_the_disk(
    predicted: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = shown(predicted)
    # 2 directions, 2 blocks and their mean
    wait_for(lambda: len(layers._cache._kept) >= 6 and not layers._jobs.running)

    def read(*_: object) -> None:
        raise AssertionError("the disk was read")

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    section = predicted.attention
    for field, value in (("token", 1), ("direction", "patch_to_relay"), ("token", 3)):
        before = values(predicted)
        getattr(section, field).value = value
        assert not np.allclose(values(predicted), before, equal_nan=True)
    section.blocks.setValue((1, 1))
    assert not layers.reading


def test_the_next_token_comes_with_each_call_and_their_mean_after_the_last(
    predicted: RelayPanel,
) -> None:
    section = predicted.attention
    section.shown.setChecked(False)
    tokens = []
    for _ in range(6):
        section.next_token()
        tokens.append(section.choice().token)
    assert tokens == [0, 1, 2, 3, None, 0]
    assert section.shown.isChecked()
    assert shown(predicted).shown == ["local"]


def test_nothing_happens_to_a_token_where_there_is_no_attention(panel: RelayPanel) -> None:
    panel.attention.next_token()
    assert not panel.attention.shown.isChecked()


def test_the_contrast_that_a_person_sets_stays_until_they_ask_for_another(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    layers = shown(predicted)
    layer = layers.layer("local")
    first = tuple(layer.contrast_limits)
    finite = values(predicted)[np.isfinite(values(predicted))]
    assert first[0] < np.median(finite) < first[1]
    choose(predicted, wait_for, token=1)
    choose(predicted, wait_for, blocks=(2, 2))
    assert tuple(layer.contrast_limits) == first
    layer.contrast_limits = (0.001, 0.002)
    choose(predicted, wait_for, token=3)
    layers.refresh()  # as when a tile arrives
    wait_for(lambda: not layers.reading)
    assert tuple(layer.contrast_limits) == (0.001, 0.002)
    choose(predicted, wait_for, direction="patch_to_relay")
    assert tuple(layer.contrast_limits) != (0.001, 0.002)
    choose(predicted, wait_for, direction="relay_to_patch")
    assert tuple(layer.contrast_limits) == (0.001, 0.002)
    click(qtbot, predicted.attention.contrast)
    low, high = layer.contrast_limits
    assert low < np.nanmedian(values(predicted)) < high


def test_hiding_or_deleting_a_layer_in_the_list_is_seen_in_the_panel(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    section, layers = predicted.attention, shown(predicted)
    choose(predicted, wait_for, branch="both")
    layers.layer("local").visible = False
    assert section.branch.value == "global"
    layers.layer("global").visible = False
    assert not section.shown.isChecked()
    section.shown.setChecked(True)
    assert layers.shown == ["global"]
    predicted.controller.viewer.layers.remove(layers.layer("global"))
    assert not section.shown.isChecked()
    section.shown.setChecked(True)
    wait_for(lambda: not layers.reading)
    assert np.isfinite(values(predicted, "global")).any()


def test_every_head_is_kept_in_a_prediction_of_its_own(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    section, session = predicted.attention, predicted.controller.session
    assert session is not None
    usual = session.store.folder
    assert not section.head.enabled
    section.every_head.setChecked(True)
    assert session.store.folder != usual
    assert not session.store.finished.any()
    assert list(section.head.choices) == [-1, 0, 1, 2]
    click(qtbot, predicted.prediction.predict_all)
    wait_for(lambda: not predicted.controller.jobs.running)
    choose(predicted, wait_for, head=0)
    first = values(predicted)
    choose(predicted, wait_for, head=2)
    assert not np.allclose(values(predicted), first, equal_nan=True)
    section.every_head.setChecked(False)
    assert session.store.folder == usual
    assert session.store.finished.all()
    assert not section.head.enabled
    assert section.choice().head is None
    wait_for(lambda: not shown(predicted).reading)
    assert np.isfinite(values(predicted)).all()


def test_where_the_view_goes_the_attention_is_read(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    layers, camera = shown(predicted), predicted.controller.viewer.scene.camera
    camera.zoom *= 20
    layers._window = layers._window._replace(height=1, width=1)  # as if only that was read
    camera.center = (60.0, 80.0)
    wait_for(lambda: layers._window.height > 1)
    wait_for(lambda: not layers.reading)
    view = visible_window(predicted.controller.viewer, predicted.controller.current.base)
    assert layers._window.intersection(view) == view
    row, col = layers.layer("local").world_to_data((60.0, 80.0))
    assert np.isfinite(values(predicted)[round(row), round(col)])


def test_tiles_that_arrive_while_attention_is_read_are_shown_as_well(
    predicted: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, reads, may_end = shown(predicted), [], threading.Event()

    def read(*parts):
        reads.append(parts)
        stack = read_attention_stack(*parts)
        if len(reads) > 1:
            return stack
        may_end.wait(30)
        return stack._replace(values=0 * stack.values)  # as it was before the tiles

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    layers.refresh()
    wait_for(lambda: len(reads) == 1)
    layers.refresh()
    may_end.set()
    wait_for(lambda: not layers.reading)
    assert np.nanmax(values(predicted)) > 0


def test_attention_that_cannot_be_read_is_one_sentence_said_once(
    predicted: RelayPanel, qtbot, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, said = shown(predicted), []
    notification_manager.notification_ready.connect(said.append)

    def read(*_: object) -> None:
        raise UserError("c/0/0 is damaged; predict again into another folder.")

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    layers.refresh()
    wait_for(lambda: not layers.reading)
    qtbot.wait(50)
    assert [one.message for one in said] == ["c/0/0 is damaged; predict again into another folder."]
    layers.hide()


def test_closing_the_image_while_attention_is_read_is_clean(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    layers = shown(predicted)
    layers.refresh()
    predicted.controller.viewer.layers.remove("picture")
    wait_for(lambda: not layers._jobs.running)
    assert not predicted.attention.shown.isChecked()
    assert not predicted.attention.isEnabled()


# --- the gallery


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


# --- saving


def saved(section: AttentionSection, wait_for: Wait) -> None:
    wait_for(lambda: not section.saving.running)


@pytest.mark.parametrize("kind", ["PNG picture (*.png)", "SVG drawing (*.svg)"])
def test_a_figure_of_what_is_shown_is_saved(
    predicted: RelayPanel, qtbot, wait_for: Wait, tmp_path: Path, monkeypatch, kind: str
) -> None:
    section = predicted.attention
    choose(predicted, wait_for, branch="both", token=1)
    predicted.explore.score.setCurrentIndex(predicted.explore.score.findData("entropy"))
    asked = lambda *_: (str(tmp_path / "figure"), kind)  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", asked)
    click(qtbot, section.save_figure)
    saved(section, wait_for)
    (path,) = tmp_path.glob("figure.*")
    if path.suffix == ".png":
        assert imageio.v3.imread(path).std() > 10
        return
    texts = ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    said = ["".join(text.itertext()).strip() for text in texts]
    for expected in ("dark", "light", "red", "Attention (local)", "Attention (global)", "Entropy"):
        assert expected in said
    assert any(text.endswith("µm") for text in said)
    assert "Model: colors" in said
    caption = " ".join(said)
    assert "picture.tif: rows" in caption
    assert "tokens read the patches, token 2, mean of all blocks, mean of the heads" in caption


def test_a_figure_shows_what_the_canvas_shows(
    predicted: RelayPanel, qtbot, wait_for: Wait, tmp_path: Path
) -> None:
    from napari_relay.widgets.shown_figure import shown_figure

    viewer, layers = predicted.controller.viewer, predicted.controller.current
    predicted.controller.look_at(layers.session.image.window)
    viewer.canvas.overlays.scale_bar.visible = False
    qtbot.wait(300)
    wait_for(lambda: not shown(predicted).reading)
    figure = shown_figure(viewer, layers)
    assert figure is not None
    mine = figure.content().picture.astype(float)
    canvas = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
    zoom = camera.zoom * canvas.shape[0] / size[0]  # screen pixels a µm
    rows, cols = (np.arange(5, n - 5, 7) for n in layers.session.image.shape)
    differences = []
    for row in rows:
        for col in cols:
            y, x = (np.array([row, col]) * 0.5 - camera.center[-2:]) * zoom
            y, x = y + canvas.shape[0] / 2, x + canvas.shape[1] / 2
            scale = mine.shape[0] / figure.window.height
            own = mine[int((row - figure.window.y0 + 0.5) * scale)]
            own = own[int((col - figure.window.x0 + 0.5) * scale)]
            differences.append(np.abs(own - canvas[int(y), int(x)]).max())
    assert np.median(differences) < 6
    assert np.percentile(differences, 85) < 40


def test_the_arrays_of_both_branches_are_saved(
    predicted: RelayPanel, qtbot, wait_for: Wait, tmp_path: Path, monkeypatch
) -> None:
    section, session = predicted.attention, predicted.controller.session
    choose(predicted, wait_for, branch="both")
    answer_with(monkeypatch, "All that is predicted")
    asked = lambda *_: (str(tmp_path / "a.ome.zarr"), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", asked)
    click(qtbot, section.save_arrays)
    saved(section, wait_for)
    for branch in ("local", "global"):
        (node,) = Reader(parse_url(tmp_path / f"a-{branch}.ome.zarr"))()
        whole = session.store.attention_map(branch, "relay_to_patch")
        np.testing.assert_allclose(np.asarray(node.data[0])[0], whole.values, rtol=1e-3)
    assert section.stop_saving.isHidden()


def answer_with(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Click a button of the question that is asked."""

    def answer(box: QMessageBox) -> int:
        (button,) = (b for b in box.findChildren(QPushButton) if b.text().replace("&", "") == text)
        button.click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)


def test_a_file_that_cannot_be_written_is_one_sentence(
    predicted: RelayPanel, wait_for: Wait, tmp_path: Path
) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    saving = predicted.attention.saving
    saving.save_figure(tmp_path / "missing" / "f.png")
    saved(predicted.attention, wait_for)
    assert any("cannot be written" in one.message for one in said)
    (tmp_path / "a.ome.zarr").mkdir()
    saving.save_arrays(tmp_path / "a.ome.zarr", ("local",), predicted.attention.choice())
    saved(predicted.attention, wait_for)
    assert "exists already" in said[-1].message
    assert all("Traceback" not in one.message for one in said)
