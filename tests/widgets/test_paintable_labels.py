"""Painting in a real viewer over a real store, checked in the store's pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.layers.labels.labels import WrongSelectedLabelError
from napari.settings import get_settings

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.widgets import paintable_labels
from napari_relay.widgets.paintable_labels import Labels, corrections_layer
from napari_relay.widgets.region_refresh import RegionRefresher
from relay_tokens import ClassSchema
from tests.widgets.mouse import Mouse

HEIGHT, WIDTH = 3000, 3600


@pytest.fixture
def schema() -> ClassSchema:
    return ClassSchema.from_names(["background", "tissue", "nuclei"])


@pytest.fixture
def store(tmp_path: Path, schema: ClassSchema) -> CorrectionStore:
    return CorrectionStore.create(tmp_path / "store", (HEIGHT, WIDTH), schema, "slide-1")


@pytest.fixture
def viewer(make_napari_viewer, qtbot) -> Iterator:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    yield viewer
    viewer.layers.clear()
    qtbot.wait(10)


@pytest.fixture
def layer(viewer, store: CorrectionStore, qtbot) -> Labels:
    layer = viewer.add_layer(corrections_layer(store))
    qtbot.wait(10)
    return layer


def look_at(viewer, qtbot, row: float, col: float, zoom: float) -> None:
    viewer.scene.camera.center = (row, col)
    viewer.scene.camera.zoom = zoom
    qtbot.wait(50)


def pixels(store: CorrectionStore) -> np.ndarray:
    return store.read(Window(0, 0, *store.shape))


def disk(row: int, col: int, size: int) -> np.ndarray:
    """Pixels that a brush of ``size`` paints: napari's own rule."""
    rows, cols = np.ogrid[:HEIGHT, :WIDTH]
    return (rows - row) ** 2 + (cols - col) ** 2 <= (size // 2 + 0.5) ** 2


@pytest.mark.parametrize("zoom", [4.0, 1.0, 0.3, 0.05])
def test_the_brush_paints_full_resolution_pixels_at_every_zoom(
    layer: Labels, store: CorrectionStore, viewer, qtbot, zoom: float
) -> None:
    look_at(viewer, qtbot, 1500, 1800, zoom)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 101, 2
    Mouse(layer).drag((1500.2, 1800.4))
    expected = np.where(disk(1500, 1800, 101), 1, 255)
    np.testing.assert_array_equal(pixels(store), expected)


def test_the_zooms_of_the_test_above_show_several_levels(layer: Labels, viewer, qtbot) -> None:
    levels = []
    for zoom in (4.0, 0.3, 0.05):
        look_at(viewer, qtbot, 1500, 1800, zoom)
        levels.append(layer.data_level)
    assert levels[0] == 0
    assert len(set(levels)) == 3


@pytest.mark.parametrize("zoom", [2.0, 0.3, 0.05])
def test_what_is_shown_is_what_a_new_slice_would_show(
    layer: Labels, viewer, qtbot, zoom: float
) -> None:
    look_at(viewer, qtbot, 1200, 1700, zoom)
    layer.mode, layer.brush_size = "paint", 60
    for label, row in ((1, 1150), (3, 1200), (0, 1210)):
        layer.selected_label = label
        Mouse(layer).drag((row, 1650), (row + 5, 1720), (row + 9, 1800))
    layer.undo()
    shown = layer._slice.image.raw.copy()
    assert {0, 1, 3} <= set(np.unique(shown))
    layer.refresh()
    np.testing.assert_array_equal(shown, layer._slice.image.raw)


@pytest.mark.parametrize("zoom", [2.0, 0.1])
def test_the_colours_on_screen_are_those_of_the_classes_and_where_they_belong(
    layer: Labels, store: CorrectionStore, schema: ClassSchema, viewer, qtbot, zoom: float
) -> None:
    layer.opacity = 1
    viewer.window.resize(900, 700)
    look_at(viewer, qtbot, 1500, 1800, zoom)
    side = int(100 / zoom)
    box = Window(1500 - side // 2, 1800 - side // 4, side, side // 2)
    store.write(box, np.full((box.height, box.width), 0, np.uint8))
    layer.refresh_region(box)
    qtbot.wait(50)
    picture = viewer.screenshot(canvas_only=True, flash=False)
    color = np.array(tuple(bytes.fromhex(schema.colors[0][1:])))
    found = np.argwhere(np.abs(picture[..., :3].astype(int) - color).max(axis=2) < 4)
    assert len(found) == pytest.approx(100 * 50, rel=0.06)
    # The middle of the canvas is the middle of the camera.
    middle = found.mean(axis=0) - (np.array(picture.shape[:2]) - 1) / 2
    expected = (np.array(box.center) - (1500, 1800)) * zoom
    np.testing.assert_allclose(middle, expected, atol=0.75)


def test_level_0_lies_exactly_on_the_image_at_every_level(
    viewer, store: CorrectionStore, qtbot
) -> None:
    layer = viewer.add_layer(
        corrections_layer(store, scale=(0.5, 0.25), translate=(100, -40), units=("um", "um"))
    )
    assert layer.extent.world[0].tolist() == [100, -40]
    store.write(Window(640, 640, 64, 64), np.ones((64, 64), np.uint8))
    layer.refresh()
    for zoom in (8.0, 1.0, 0.2):
        look_at(viewer, qtbot, 100 + 671.5 / 2, -40 + 671.5 / 4, zoom)
        tile = layer._slice.tile_to_data
        first = np.argwhere(layer._slice.image.raw == 2).min(axis=0)
        # the outer corner of the first painted pixel of that level, in level-0 pixels
        corner = first * tile.scale + tile.translate
        np.testing.assert_allclose(corner, 640, atol=0.5)


def test_class_0_can_be_painted_and_the_eraser_means_not_corrected(
    layer: Labels, store: CorrectionStore
) -> None:
    layer.mode, layer.brush_size, layer.selected_label = "paint", 21, 1
    Mouse(layer).drag((100, 100))
    assert set(np.unique(pixels(store))) == {0, 255}
    layer.mode = "erase"
    Mouse(layer).drag((100, 100))
    assert store.is_empty


def test_only_the_classes_and_the_eraser_can_be_chosen(layer: Labels) -> None:
    layer.selected_label = 3
    layer.selected_label = 0
    with pytest.raises(WrongSelectedLabelError, match=r"\[0, 3\]"):
        layer.selected_label = 4
    with pytest.raises(WrongSelectedLabelError):
        layer.paint((10, 10), 4)


def test_undo_and_redo_take_back_whole_strokes(layer: Labels, store: CorrectionStore) -> None:
    layer.mode, layer.brush_size = "paint", 30
    states = [pixels(store)]
    for label, row in ((1, 300), (2, 310)):
        layer.selected_label = label
        Mouse(layer).drag((row, 300), (row + 40, 350), (row, 420))
        states.append(pixels(store))
    layer.undo()
    np.testing.assert_array_equal(pixels(store), states[1])
    layer.undo()
    np.testing.assert_array_equal(pixels(store), states[0])
    layer.undo()
    layer.redo()
    layer.redo()
    np.testing.assert_array_equal(pixels(store), states[2])


def test_the_bucket_fills_the_connected_area(layer: Labels, store: CorrectionStore) -> None:
    ring = disk(400, 500, 101) & ~disk(400, 500, 81)
    store.write(store.pyramid.window, np.where(ring, 1, 255).astype(np.uint8))
    layer.refresh()
    layer.mode, layer.selected_label = "fill", 3
    Mouse(layer).drag((400, 500))
    expected = np.where(ring, 1, np.where(disk(400, 500, 81), 2, 255))
    np.testing.assert_array_equal(pixels(store), expected)


def test_the_bucket_outside_the_image_does_nothing(layer: Labels, store: CorrectionStore) -> None:
    layer.mode, layer.selected_label = "fill", 3
    Mouse(layer).drag((-3, 10))
    Mouse(layer).drag((HEIGHT + 3, 10))
    assert store.is_empty


def test_a_fill_of_a_huge_area_ends_at_the_view_and_says_so(
    layer: Labels, store: CorrectionStore, viewer, qtbot, monkeypatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(paintable_labels, "show_info", told.append)
    look_at(viewer, qtbot, 1500, 1800, 4.0)
    layer.mode, layer.selected_label = "fill", 3
    Mouse(layer).drag((1500, 1800))
    filled = np.count_nonzero(pixels(store) == 2)
    assert 100 * 100 < filled < HEIGHT * WIDTH / 2
    assert told == ["The fill ends at the border of the view; pan or zoom out to fill on."]


def test_a_polygon_drawn_with_clicks_is_painted(
    layer: Labels, store: CorrectionStore, viewer, qtbot
) -> None:
    look_at(viewer, qtbot, 1500, 1800, 0.05)
    layer.mode, layer.selected_label = "polygon", 2
    mouse = Mouse(layer)
    corners = [(1000.0, 1500.0), (1000.0, 2500.0), (1800.0, 2500.0), (1800.0, 1500.0)]
    for corner in corners:
        mouse.drag(corner)
        mouse.move(*corner)
    mouse.double_click(*corners[-1])
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[1000:1801, 1500:2501] = 1
    np.testing.assert_array_equal(pixels(store), expected)


@pytest.mark.parametrize(("zoom", "level"), [(2.0, 0), (0.4, 1)])
def test_the_polygon_preview_lies_where_the_polygon_will_be(
    layer: Labels, viewer, qtbot, zoom: float, level: int
) -> None:
    layer.opacity = 1
    layer.mode, layer.selected_label = "polygon", 2
    look_at(viewer, qtbot, 2400, 2900, zoom)
    assert layer.data_level == level
    assert layer.corner_pixels[0].all()  # the tile does not begin at the image's corner
    rows, cols = 2400 + np.array([-50, 70]) / zoom, 2900 + np.array([-30, 90]) / zoom
    corners = [(rows[0], cols[0]), (rows[0], cols[1]), (rows[1], cols[1]), (rows[1], cols[0])]
    layer._overlays["polygon"].points = [list(np.add(corner, 0.5)) for corner in corners]
    qtbot.wait(50)
    picture = viewer.screenshot(canvas_only=True, flash=False)
    colored = np.ptp(picture[..., :3].astype(int), axis=2) > 60
    found = np.argwhere(colored) - (np.array(picture.shape[:2]) - 1) / 2
    np.testing.assert_allclose(np.median(found, axis=0), (10, 30), atol=2)


def test_the_circle_that_closes_a_stroke_lies_where_the_stroke_began(
    layer: Labels, viewer, qtbot
) -> None:
    layer.mode, layer.selected_label, layer.brush_size = "paint", 0, 100
    look_at(viewer, qtbot, 2400, 2900, 0.4)
    Mouse(layer).drag((2400 - 100, 2900 + 150), button=2)
    qtbot.wait(50)
    picture = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    red = (picture[..., 0] > 150) & (picture[..., 1:3].max(axis=2) < 90)
    found = np.argwhere(red) - (np.array(picture.shape[:2]) - 1) / 2
    layer._overlays["brush_stroke"].abort(layer)
    middle = (found.min(axis=0) + found.max(axis=0)) / 2
    np.testing.assert_allclose(middle, (-40, 60), atol=2)
    np.testing.assert_allclose(np.ptp(found, axis=0), 2 * 180 * 0.4, atol=4)


def test_a_large_polygon_is_painted_like_a_small_one(
    layer: Labels, store: CorrectionStore, monkeypatch
) -> None:
    star = np.array([[500, 500], [1500, 2100], [30, 1300], [1700, 900], [900, 2500], [1300, 200]])
    layer.paint_polygon(star, 2)
    at_once = pixels(store)
    layer.undo()
    assert store.is_empty
    monkeypatch.setattr(paintable_labels, "LARGE", 300_000)
    layer.paint_polygon(star, 2)
    np.testing.assert_array_equal(pixels(store), at_once)
    layer.undo()
    assert store.is_empty


def test_history_is_held_in_bounded_memory(layer: Labels) -> None:
    layer._undo_history.max_bytes = 20_000
    rng = np.random.default_rng(0)
    layer.brush_size = 200
    for row, col in rng.integers(0, 2800, (60, 2)):
        layer.paint((row, col), int(rng.integers(1, 4)))
    assert layer._undo_history.nbytes <= 20_000
    assert len(layer._undo_history) > 1


def test_pick_takes_the_class_under_the_cursor(
    layer: Labels, store: CorrectionStore, viewer, qtbot
) -> None:
    store.write(Window(1000, 1000, 500, 500), np.full((500, 500), 2, np.uint8))
    layer.refresh()
    for zoom in (2.0, 0.06):
        look_at(viewer, qtbot, 1250, 1250, zoom)
        layer.mode = "pick"
        layer.selected_label = 1
        Mouse(layer).drag((1260, 1240))
        assert layer.selected_label == 3


@pytest.mark.parametrize("zoom", [2.0, 0.06])
def test_the_value_under_the_cursor_is_the_one_of_the_pixel_shown(
    layer: Labels, store: CorrectionStore, viewer, qtbot, zoom: float
) -> None:
    store.write(Window(1024, 1024, 64, 64), np.zeros((64, 64), np.uint8))
    layer.refresh()
    look_at(viewer, qtbot, 1056, 1056, zoom)
    for row, expected in ((1023.4, 0), (1023.6, 1), (1087.4, 1), (1087.6, 0)):
        assert layer.get_value((row, 1050), world=True)[1] == expected
    status = layer.get_status((1050, 1050), world=True)
    assert "class: background" in status["value"]


def test_strokes_persist(layer: Labels, store: CorrectionStore) -> None:
    layer.mode, layer.brush_size, layer.selected_label = "paint", 51, 3
    Mouse(layer).drag((700, 800), (720, 900))
    layer.undo()
    layer.redo()
    painted = pixels(store)
    store.flush()
    np.testing.assert_array_equal(pixels(CorrectionStore.open(store.folder, "slide-1")), painted)


def test_a_stroke_made_while_a_slice_is_in_flight_is_shown(
    make_napari_viewer, store: CorrectionStore, qtbot, wait_for: Callable
) -> None:
    viewer = make_napari_viewer(show=True)
    get_settings().experimental.async_ = True
    layer = viewer.add_layer(corrections_layer(store))
    wait_for(lambda: layer.loaded and not layer._slice.empty)
    look_at(viewer, qtbot, 1500, 1800, 2.0)
    wait_for(lambda: layer.loaded)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 21, 2
    request = layer._slicing_state._make_slice_request(viewer.dims)
    layer._slicing_state._set_unloaded_slice_id(request.id)
    response = request()  # read before the stroke, lands after it
    Mouse(layer).drag((1500, 1800))
    assert not (layer._slice.image.raw == 2).any()
    layer._slicing_state._update_slice_response(response)
    layer._slicing_state._update_loaded_slice_id(request.id)
    layer.events.set_data()
    assert np.count_nonzero(layer._slice.image.raw == 2) == np.count_nonzero(disk(99, 99, 21))
    layer.undo()
    assert not (layer._slice.image.raw == 2).any()
    viewer.layers.clear()
    qtbot.wait(50)


def test_a_plain_labels_layer_over_changing_arrays_is_refreshed_by_region(viewer, qtbot) -> None:
    levels = [np.zeros((4096 >> k, 4096 >> k), np.uint8) for k in range(4)]
    copies = [level.copy() for level in levels]  # what napari sees is not what changes
    layer = viewer.add_labels(copies, multiscale=True)
    refresher = RegionRefresher(layer)
    for zoom in (2.0, 0.1):
        look_at(viewer, qtbot, 2048, 2048, zoom)
        for k, level in enumerate(copies):
            level[2000 >> k : 2100 >> k, 2000 >> k : 2100 >> k] += 1
        refresher.refresh(Window(2000, 2000, 100, 100))
        shown = layer._slice.image.raw.copy()
        layer.refresh()
        assert shown.any()
        np.testing.assert_array_equal(shown, layer._slice.image.raw)


def test_a_region_off_screen_or_of_a_hidden_layer_costs_nothing(
    layer: Labels, store: CorrectionStore, viewer, qtbot
) -> None:
    look_at(viewer, qtbot, 500, 500, 4.0)
    updates: list[object] = []
    layer.events.labels_update.connect(updates.append)
    layer.refresh_region(Window(2800, 2800, 100, 100))
    layer.visible = False
    layer.refresh_region(Window(480, 480, 100, 100))
    assert updates == []


def test_a_store_of_100_000_pixels_a_side_is_ready_at_once(
    viewer, tmp_path: Path, schema: ClassSchema, qtbot
) -> None:
    store = CorrectionStore.create(tmp_path / "huge", (100_000, 100_000), schema, "huge")
    layer = viewer.add_layer(corrections_layer(store))
    look_at(viewer, qtbot, 60_000, 60_000, 1.0)
    layer.brush_size = 20
    layer.paint((60_000, 60_000), 1)
    assert (layer._slice.image.raw == 1).any()
    look_at(viewer, qtbot, 50_000, 50_000, 0.005)
    assert (layer._slice.image.raw == 1).any()
    assert store.pyramid._cache.cached_bytes < 64 << 20
