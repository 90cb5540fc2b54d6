"""A napari Labels layer that can be painted at any size and any zoom.

napari 0.9 does not edit multiscale Labels. :class:`Labels` does, over the
levels of an :class:`~napari_relay.annotation.EditablePyramid`. What it needs of
napari's private API is used here and in ``region_refresh.py`` only, and listed in
``tests/widgets/test_napari_private_api.py``, which fails when napari changes it.

Values: the store holds class ids with 255 for "not corrected"; the layer shows
``class id + 1`` with 0 for "not corrected", so that class 0 can be painted, 0
is transparent and the eraser takes corrections away. :func:`_shown` and
:func:`_stored` are the only conversion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
from napari._vispy.overlays.labels_brush_stroke import VispyLabelsBrushStrokeOverlay
from napari._vispy.overlays.labels_polygon import VispyLabelsPolygonOverlay
from napari._vispy.utils.visual import overlay_to_visual
from napari.components.overlays import LabelsBrushStrokeOverlay, LabelsPolygonOverlay
from napari.layers import Labels as NapariLabels
from napari.layers._multiscale_data import MultiScaleData
from napari.layers.labels._labels_constants import Mode
from napari.layers.labels.labels import WrongSelectedLabelError
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import show_info
from numpy.typing import NDArray
from skimage.segmentation import flood

from napari_relay.annotation import CorrectionStore, Edit, EditablePyramid, History, LevelView
from napari_relay.geometry import Window
from napari_relay.widgets.region_refresh import (
    RegionRefresher,
    Slices,
    is_plain_view,
    level_frame,
    union,
    visible_part,
    window_of,
)
from relay_tokens import ClassSchema

MAX_FILL = 4096
"""The bucket fills at most this many level-0 pixels a side, around the click."""

POLYGON_BAND = 1 << 22
"""Larger polygons are painted by bands of this many level-0 pixels."""

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def _shown(labels: Pixels) -> Pixels:
    """Class ids with 255 as the layer shows them: one more, 0 for 255."""
    return np.asarray(np.add(labels, np.uint8(1), dtype=np.uint8))


def _stored(values: Pixels) -> Pixels:
    """The inverse of :func:`_shown`."""
    return np.asarray(np.subtract(values, np.uint8(1), dtype=np.uint8))


class _ShownLevel:
    """A level of the pyramid with the values that the layer shows."""

    def __init__(self, level: LevelView) -> None:
        self._level = level
        self.shape, self.ndim, self.size = level.shape, level.ndim, level.size
        self.dtype, self.chunks = level.dtype, level.chunks

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> Pixels:
        return _shown(self._level[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        return self[:, :].astype(dtype or self.dtype, copy=False)


class PaintLevels(MultiScaleData):
    """What napari gets as data: a level for an integer, level-0 pixels for slices."""

    def __init__(self, pyramid: EditablePyramid, classes: int) -> None:
        super().__init__([_ShownLevel(level) for level in pyramid.levels])
        self.pyramid = pyramid
        self.classes = classes

    def __getitem__(self, key: Any) -> Any:
        return self._data[0][key] if isinstance(key, tuple) else self._data[key]

    def __setitem__(self, key: Slices, values: Pixels) -> None:
        self.pyramid.write(window_of(key), _stored(values))


def _pick(layer: Labels, event: Any) -> None:
    """Take the class under the cursor; napari's own fails on the level it gets as well."""
    _, value = layer._get_value(layer.world_to_data(event.position))
    layer.selected_label = int(value or 0)


class Labels(NapariLabels):
    """Corrections that are painted with napari's own tools, at every zoom.

    The class is called ``Labels`` since napari takes a layer's type from it.
    Use :func:`corrections_layer`.
    """

    _drag_modes: ClassVar[Any] = {**NapariLabels._drag_modes, Mode.PICK: _pick}
    can_paint = True
    """False where corrections can only be looked at."""
    _updated_slice: Slices | None
    _staged_history: list[Edit]

    def __init__(
        self,
        data: PaintLevels,
        *,
        name: str,
        colormap: DirectLabelColormap,
        features: dict[str, list[Any]],
        scale: Sequence[float] | None,
        translate: Sequence[float] | None,
        affine: NDArray[np.float64] | None,
        units: Sequence[str] | None,
    ) -> None:
        super().__init__(
            data,
            name=name,
            colormap=colormap,
            features=features,
            scale=scale,
            translate=translate,
            affine=affine,
            units=units,
        )
        self.refresher = RegionRefresher(self)
        overlays = {
            "polygon": _PolygonOverlay(visible=True),
            "brush_stroke": _StrokeOverlay(visible=True),
        }
        for key, overlay in overlays.items():
            del self._overlays[key]  # else the new one counts as equal and is not taken
            self._overlays[key] = overlay

    def refresh_region(self, window: Window) -> None:
        """Show what somebody else wrote into a level-0 window (main thread)."""
        self.refresher.refresh(window)

    def paint_polygon(self, points: Any, new_label: int) -> None:
        """Paint a polygon ``(vertex, 2)`` of level-0 ``(row, col)``, in bounded memory."""
        corners = np.array(points, dtype=int)
        if np.prod(np.ptp(corners, axis=0), dtype=float) <= POLYGON_BAND:
            super().paint_polygon(corners, new_label)
            return
        self._validate_label_in_range(new_label)
        with nullcontext() if self._block_history else self.block_history():
            for window, mask in self._polygon_bands(corners):
                self._paint_region_with_mask(window.slices, mask, new_label, [0, 1], refresh=False)
        self._partial_labels_refresh()

    def _polygon_bands(self, corners: NDArray[np.intp]) -> Iterator[tuple[Window, Mask]]:
        """Masks of the polygon by bands of rows: PIL rounds as if it were one."""
        y0, x0 = (max(int(n), 0) for n in corners.min(axis=0))
        stop = corners.max(axis=0) + 1
        y1, x1 = (min(int(n), size) for n, size in zip(stop, self.data.shape, strict=True))
        rows = max(POLYGON_BAND // max(x1 - x0, 1), 1)
        for row in range(y0, y1 if x1 > x0 else y0, rows):
            height = min(rows, y1 - row)
            mask = self._create_polygon_mask(corners - (row, x0), [height, x1 - x0])
            columns = np.flatnonzero(mask.any(axis=0))
            if columns.size:
                first, last = int(columns[0]), int(columns[-1])
                yield Window(row, x0 + first, height, last - first + 1), mask[:, first : last + 1]

    # What follows overrides napari's private methods.

    def _ensure_int_labels(self, data: Any) -> Any:
        if not isinstance(data, PaintLevels):
            raise TypeError("a corrections layer keeps the levels it was made with")
        return data

    def _reset_editable(self) -> None:
        self.editable = self.can_paint  # napari: not for multiscale data

    def _validate_label_in_range(self, label: int) -> None:
        if not 0 <= label <= self.data.classes:
            raise WrongSelectedLabelError(self.dtype, label, 0, self.data.classes)

    def _get_value(self, position: Any) -> Any:
        """The value of the pixel on screen; napari's is half a pixel of the level off."""
        if not is_plain_view(self):
            return super()._get_value(position)
        factors, origin = level_frame(self)
        row, col = (np.floor((np.asarray(position) + 0.5) / factors) - origin).astype(int)
        raw = self._slice.image.raw
        inside = 0 <= row < raw.shape[0] and 0 <= col < raw.shape[1]
        return self.data_level, raw[row, col] if inside else None

    def _refresh_caches_from_region(
        self, _region_data: Any, slice_key: Slices, _mask: Any, _new_label: int
    ) -> None:
        if self._slicing_state.loaded:
            self.refresher.patch(window_of(slice_key))
        else:
            self.refresher.wait_for(window_of(slice_key))

    def _accumulate_updated_slice(self, updated_slice: Slices) -> None:
        """Note what to send to the texture: napari's own takes it for level 0 at the origin."""
        if not self._slicing_state.loaded or self._slice.empty or not is_plain_view(self):
            return
        part = visible_part(self, window_of(updated_slice))
        if part is None:
            return
        window = window_of(part.tile)
        if self._updated_slice is not None:
            window = union(window_of(self._updated_slice), window)
        self._updated_slice = window.slices

    def _get_flood_mask_and_bbox(
        self, coord: Any, new_label: int, _dims_to_paint: Any
    ) -> tuple[Mask, NDArray[np.intp], NDArray[np.intp], Pixels] | None:
        """Flood what is on screen; napari's own reads the whole image."""
        seed = Window(int(coord[0]), int(coord[1]), 1, 1)
        area = self._fillable(seed)
        if not seed.intersects(area):
            return None
        labels = self.data[area.slices]
        at = (seed.y0 - area.y0, seed.x0 - area.x0)
        old = int(labels[at])
        kept = self.preserve_labels and old != self._get_preserve_labels_source_label(new_label)
        if old == new_label or kept:
            return None
        mask = _flooded(labels, at) if self.contiguous else labels == old
        if _is_cut(mask, area, self.data.pyramid.window):
            show_info("The fill ends at the border of the view; pan or zoom out to fill on.")
        low, high = self._compute_mask_bbox(mask)
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        corner = np.array([area.y0, area.x0])
        return mask[box], low + corner, high + corner, labels[box]

    def _fillable(self, seed: Window) -> Window:
        """The part of the image that is loaded for the screen, at most around the seed."""
        factors, origin = level_frame(self)
        y0, x0 = (int(n) for n in origin * factors)
        height, width = (int(n) for n in self._slice.image.raw.shape * factors)
        loaded = Window(y0, x0, height, width).intersection(self.data.pyramid.window)
        return loaded.intersection(seed.expanded(MAX_FILL // 2))

    def _reset_history(self, event: Any = None) -> None:
        super()._reset_history(event)
        self._undo_history, self._redo_history = History(), History()

    @staticmethod
    def _history_atom_for_mask_paint(
        volume_slice: Slices, region_data: Pixels, mask: Mask, new_label: int
    ) -> Edit:
        label = int(_stored(np.array([new_label], np.uint8))[0])
        return Edit.record(window_of(volume_slice), mask, _stored(region_data), label)

    def _load_history(self, before: History, after: History, undoing: bool = True) -> None:
        if before:
            step = before.pop()
            after.append(step[::-1])
            self._replay(step, undoing)

    def _abort_stroke(self) -> None:
        step, self._staged_history, self._block_history = self._staged_history, [], False
        self._replay(step, undoing=True)

    def _replay(self, step: list[Edit], undoing: bool) -> None:
        for edit in reversed(step):
            (edit.undo if undoing else edit.redo)(self.data.pyramid)
        if step:
            self.refresher.refresh(union(*(edit.window for edit in step)))


def corrections_layer(
    store: CorrectionStore,
    schema: ClassSchema | None = None,
    *,
    name: str = "Corrections",
    scale: Sequence[float] | None = None,
    translate: Sequence[float] | None = None,
    affine: NDArray[np.float64] | None = None,
    units: Sequence[str] | None = None,
) -> Labels:
    """Make the layer in which a person paints into ``store``.

    Parameters
    ----------
    store
        Every stroke is in it at once; saving it is up to the caller.
    schema
        Other colours for the same classes; the store's own by default.
    name
        Name in the layer list.
    scale, translate, affine, units
        As for the image's layer, each ``(row, col)``: level 0 lies exactly on it.

    Returns
    -------
    Labels
        With ``selected_label = class id + 1``; 0 is the eraser.
    """
    schema = schema or store.schema
    classes = ["not corrected", *schema.names]
    return Labels(
        PaintLevels(store.pyramid, len(schema)),
        name=name,
        colormap=correction_colormap(schema),
        features={"index": list(range(len(classes))), "class": classes},
        scale=scale,
        translate=translate,
        affine=affine,
        units=units,
    )


def correction_colormap(schema: ClassSchema) -> DirectLabelColormap:
    """Colours of the labels that are painted: class ``i`` is ``i + 1``, the rest transparent."""
    colors: dict[int | None, str] = {i + 1: color for i, color in enumerate(schema.colors)}
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colors})


class _PolygonOverlay(LabelsPolygonOverlay):
    """The polygon tool of our layer; its own class, so that it gets its own visual."""


class _StrokeOverlay(LabelsBrushStrokeOverlay):
    """The encircling brush stroke of our layer."""


class _PolygonVisual(VispyLabelsPolygonOverlay):
    """Draws the polygon where it will be; napari's is misplaced by the tile's origin."""

    def _on_points_change(self) -> None:
        points = _in_level(self.layer, np.reshape(self.overlay.points, (-1, 2)) - 0.5)
        self._polygon.visible, self._line.visible = len(points) > 2, len(points) == 2
        if self._polygon.visible:
            self._polygon.pos = points
        if self._line.visible:
            self._line.set_data(pos=points)
        self._nodes.set_data(pos=points, **self._nodes_kwargs)


class _StrokeVisual(VispyLabelsBrushStrokeOverlay):
    """Draws the circle where the stroke began, at every zoom."""

    def _on_geometry_change(self, _event: Any = None) -> None:
        self._circle.visible = self.overlay.active
        if self.overlay.active:
            factors, _ = level_frame(self.layer)
            self._circle.center = tuple(_in_level(self.layer, np.array([self.overlay.center]))[0])
            self._circle.radius = tuple(self.overlay.radius / factors[::-1])


overlay_to_visual[_PolygonOverlay] = _PolygonVisual
overlay_to_visual[_StrokeOverlay] = _StrokeVisual


def _in_level(layer: NapariLabels, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level-0 ``(row, col)`` as ``(x, y)`` in pixels of the level on screen.

    napari moves an overlay by the tile's origin and half a pixel of the level.
    """
    factors, _ = level_frame(layer)
    return np.asarray(((points + 0.5) / factors - 0.5)[:, ::-1])


def _flooded(labels: Pixels, at: tuple[int, int]) -> Mask:
    """Pixels connected by their edges that have the same value as the one at ``at``."""
    return np.asarray(flood(labels, at, connectivity=1), np.bool_)


def _is_cut(mask: Mask, area: Window, image: Window) -> bool:
    """Whether the mask touches a border of ``area`` that is not one of the image."""
    return bool(
        (area.y0 > image.y0 and mask[0].any())
        or (area.x0 > image.x0 and mask[:, 0].any())
        or (area.y1 < image.y1 and mask[-1].any())
        or (area.x1 < image.x1 and mask[:, -1].any())
    )
