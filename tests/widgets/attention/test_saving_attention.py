"""Figures and arrays of the attention, saved as a person saves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import imageio.v3
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.sections.attention_section import AttentionSection
from tests.widgets.attention.hand import choose, click, shown

Wait = Callable[[Callable[[], bool]], None]


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


def test_what_was_drawn_on_the_image_is_in_the_figure(ready: RelayPanel, qtbot) -> None:
    from napari_relay.widgets.shown_figure import shown_figure

    viewer, layers = ready.controller.viewer, ready.controller.current
    assert layers is not None
    ready.controller.look_at(layers.session.image.window)
    corners = np.array([(9.5, 19.5), (9.5, 59.5), (29.5, 59.5), (29.5, 19.5)])
    viewer.add_shapes([corners], edge_width=2, scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_shapes([corners, corners], shape_type=["path", "ellipse"], visible=False)
    viewer.add_points([(5.0, 10.0)], size=3, units=("um", "um"), opacity=0.5)
    qtbot.wait(50)
    figure = shown_figure(viewer, layers)
    assert figure is not None
    corner = np.array([figure.window.y0, figure.window.x0]) * 0.5
    (line,) = figure.blank.lines
    np.testing.assert_allclose(line.places + corner, (corners + 0.5) * 0.5)
    assert (line.width, line.is_closed) == (1.0, True)
    (point,) = figure.blank.points
    np.testing.assert_allclose(point.place + corner, (5.25, 10.25))
    assert (point.size, point.face[3]) == (3.0, 0.5)


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
