"""Fails, by name, where napari changes the private API that this project uses."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from napari._qt import qt_main_window
from napari.layers import Labels as NapariLabels
from napari.layers.labels.labels import WrongSelectedLabelError

from napari_relay.widgets import labels_overlays, region_refresh

# What paintable_labels.py, labels_overlays.py and region_refresh.py use. Where one of these
# changes, read what napari does now before changing the list.
SIGNATURES = {
    "Labels._ensure_int_labels": "(self, data)",
    "Labels._reset_editable": "(self)",
    "Labels._validate_label_in_range": "(self, label)",
    "Labels._get_value": "(self, position)",
    "Labels._refresh_caches_from_region": "(self, region_data, slice_key, mask, new_label)",
    "Labels._accumulate_updated_slice": "(self, updated_slice)",
    "Labels._partial_labels_refresh": "(self)",
    "Labels._get_flood_mask_and_bbox": "(self, coord, new_label, dims_to_paint)",
    "Labels._get_preserve_labels_source_label": "(self, new_label)",
    "Labels._compute_mask_bbox": "(mask)",
    "Labels._create_polygon_mask": "(points2d, shape)",
    "Labels._paint_region_with_mask": (
        "(self, slice_key, mask, new_label, dims_to_paint, refresh=True, region_data=None)"
    ),
    "Labels._history_atom_for_mask_paint": "(volume_slice, region_data, mask, new_label)",
    "Labels._reset_history": "(self, event=None)",
    "Labels._append_to_undo_history": "(self, item)",
    "Labels._commit_staged_history": "(self)",
    "Labels._draw": "(self, new_label, last_cursor_coord, coordinates)",
    "Labels.fill": "(self, coord, new_label, refresh=True)",
    "Labels.undo": "(self)",
    "Labels.redo": "(self)",
    "Labels._abort_stroke": "(self)",
    "Labels._raw_to_displayed": "(self, raw, data_slice=None)",
    "Labels.block_history": "(self)",
    "Labels.paint_polygon": "(self, points, new_label)",
    "LabelsPolygonOverlay.add_polygon_to_labels": "(self, layer)",
    "VispyLabelsPolygonOverlay._on_points_change": "(self)",
    "VispyLabelsBrushStrokeOverlay._on_geometry_change": "(self, event=None)",
    "WrongSelectedLabelError.__init__": (
        "(self, dtype, value, lower_bound, upper_bound, message='')"
    ),
}
LAYER_ATTRIBUTES = (
    "_block_history",
    "_drag_modes",
    "_level_materializer",
    "_overlays",
    "_redo_history",
    "_slice.empty",
    "_slice.image.raw",
    "_slice.image.view",
    "_slice.slice_input.displayed",
    "_slice.slice_input.ndisplay",
    "_slice.tile_to_data.scale",
    "_slice.tile_to_data.translate",
    "_slicing_state.loaded",
    "_staged_history",
    "_undo_history",
    "_updated_slice",
    "downsample_factors",
    "events.labels_update",
    "events.set_data",
)


@pytest.mark.parametrize("name", SIGNATURES)
def test_napari_still_has_the_private_function(name: str) -> None:
    owner, function = name.split(".")
    owners = {"Labels": NapariLabels, "WrongSelectedLabelError": WrongSelectedLabelError}
    found = getattr(owners.get(owner) or getattr(labels_overlays, owner), function)
    signature = inspect.signature(found)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    plain = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    assert str(plain) == SIGNATURES[name]


def test_napari_still_has_the_private_attributes() -> None:
    plain = NapariLabels([np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8)], multiscale=True)
    missing = []
    for name in LAYER_ATTRIBUTES:
        value: object = plain
        for part in name.split("."):
            value = getattr(value, part, missing)
        if value is missing:
            missing.append(name)
    assert missing == []


def test_napari_still_finds_the_visual_of_an_overlay_by_its_class() -> None:
    from napari._vispy.overlays import labels_brush_stroke, labels_polygon
    from napari._vispy.utils.visual import create_vispy_overlay, overlay_to_visual

    assert "mro" in inspect.getsource(create_vispy_overlay)
    ours = {
        labels_overlays.PolygonOverlay: labels_polygon.VispyLabelsPolygonOverlay,
        labels_overlays.StrokeOverlay: labels_brush_stroke.VispyLabelsBrushStrokeOverlay,
    }
    for overlay, visual in ours.items():
        assert issubclass(overlay_to_visual[overlay], visual)
        assert overlay_to_visual[overlay.__mro__[1]] is visual  # napari's own is untouched
    assert region_refresh.NapariLabels is NapariLabels


def test_napari_still_asks_the_module_whether_to_warn_about_pyqt5() -> None:
    assert isinstance(qt_main_window.SHOW_QT_WARNING, bool)  # app.py switches it off
