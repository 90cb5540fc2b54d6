"""A napari Labels layer that can be painted at any size and any zoom.

napari 0.9 does not edit multiscale Labels. :class:`Labels` does, over the
levels of an :class:`~napari_relay.annotation.EditablePyramid`. What it needs of
napari's private API is used here, in ``labels_overlays.py``, ``large_stroke.py``
and ``region_refresh.py`` only, and listed in
``tests/widgets/test_napari_private_api.py``, which fails when napari changes it.

The layer shows other values than the store has: see ``shown_levels.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from napari.layers import Labels as NapariLabels
from napari.layers.labels._labels_constants import Mode
from napari.layers.labels.labels import WrongSelectedLabelError
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import show_info
from numpy.typing import NDArray

from napari_relay.annotation import (
    CorrectionStore,
    Edit,
    History,
    Step,
)
from napari_relay.annotation.outlines import PolygonPainting
from napari_relay.annotation.painting import Painting, paint
from napari_relay.annotation.predicted import reaches_border
from napari_relay.annotation.step_log import StepLog
from napari_relay.annotation.values import value_colors
from napari_relay.geometry import Window, union
from napari_relay.training.correction_values import value_names
from napari_relay.widgets.bucket import CUT_FILL, MAX_FILL, Bucket, Flood
from napari_relay.widgets.canvas_hand import Hand, act
from napari_relay.widgets.labels_overlays import use_own_overlays
from napari_relay.widgets.large_stroke import LargeStroke
from napari_relay.widgets.region_refresh import (
    RegionRefresher,
    Slices,
    is_plain_view,
    level_frame,
    visible_part,
    window_of,
)
from napari_relay.widgets.shown_levels import (
    PaintLevels,
    Pixels,
    shown_label,
    stored_label,
    stored_labels,
)
from relay_tokens import ClassSchema

LARGE = 1 << 20
"""What takes more level-0 pixels than this is painted, and undone, by the painter."""

LARGE_BRUSH = 640
"""A brush of more level-0 pixels across is drawn on screen and painted by the painter."""

Mask = NDArray[np.bool_]


class Painter(Protocol):
    """Who paints large areas without keeping the window from answering."""

    @property
    def busy(self) -> bool:
        """Whether something waits to be painted: what comes now must come after it."""
        ...

    def paint(
        self,
        layer: Labels,
        name: str,
        make: Callable[[], Painting],
        tool: str,
        over: int | None = None,
    ) -> None:
        """Paint what ``make`` finds, when all before it is done."""
        ...

    def replay(self, layer: Labels, *, undoing: bool) -> None:
        """Undo or redo a step, when all before it is done."""
        ...


def _pick(layer: Labels, event: Any) -> Iterator[None] | None:
    """Use what is in hand, or take the class under the cursor.

    napari's own fails on the level that it gets as well.
    """
    if layer.hand is not None:
        return act(layer, layer.hand, event)
    _, value = layer._get_value(layer.world_to_data(event.position))
    layer.selected_label = int(value or 0)
    return None


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
        log: StepLog,
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
        self.painter: Painter | None = None
        """Paints large areas; without one they are painted at once."""
        self.hand: Hand | None = None
        """What clicks and drawn outlines do in mode ``pick``; None: take the class there."""
        self._log = log
        self._stroke: LargeStroke | None = None
        use_own_overlays(self)

    def refresh_region(self, window: Window) -> None:
        """Show what somebody else wrote into a level-0 window (main thread)."""
        self.refresher.refresh(window)

    def record(self, step: Step) -> None:
        """Take note of a step that was painted, so that it can be undone."""
        self._redo_history.clear()
        self._undo_history.append(step)
        self._log.made(step)

    def take_step(self, *, undoing: bool) -> Step | None:
        """Take the step that is to be undone, or redone, out of the history."""
        history = self._undo_history if undoing else self._redo_history
        return history.pop() if history else None

    def put_step(self, step: Step, *, undone: bool) -> None:
        """Put a step into the history after it was undone, or redone."""
        (self._redo_history if undone else self._undo_history).append(step)
        self._log.mark(step, undone=undone)

    def paint_polygon(self, points: Any, new_label: int) -> None:
        """Paint a polygon ``(vertex, 2)`` of level-0 ``(row, col)``, in bounded memory."""
        self._validate_label_in_range(new_label)
        painting = PolygonPainting(points, stored_label(new_label))
        if painting.window.area <= LARGE and not self._must_wait:
            super().paint_polygon(painting.corners, new_label)
        else:
            self._paint_large("Painting a polygon", lambda: painting, "polygon", new_label)

    def fill(self, coord: Any, new_label: int, refresh: bool = True) -> None:
        """Fill the area connected with a pixel, as far as it is on screen."""
        self._validate_label_in_range(new_label)
        seed = Window(int(coord[0]), int(coord[1]), 1, 1)
        area = self._fillable(seed)
        if area.area <= LARGE and not self._must_wait:
            super().fill(coord, new_label, refresh)
        elif seed.intersects(area):
            make = Flood(self.data, seed, area, self.bucket(new_label))
            self._paint_large("Filling an area", make, "fill", new_label)

    def undo(self) -> None:
        """Take back the last step."""
        self._step(self._undo_history, undoing=True)

    def redo(self) -> None:
        """Make the step that was taken back again."""
        self._step(self._redo_history, undoing=False)

    def _step(self, history: History, *, undoing: bool) -> None:
        large = bool(history) and history[-1].area > LARGE
        if self.painter is not None and (self.painter.busy or large):
            self.painter.replay(self, undoing=undoing)
        elif (step := self.take_step(undoing=undoing)) is not None:
            self._replay(step, undoing)
            self.put_step(step, undone=undoing)

    @property
    def _must_wait(self) -> bool:
        return self.painter is not None and self.painter.busy

    def _paint_large(
        self, name: str, make: Callable[[], Painting], tool: str, new_label: int
    ) -> None:
        over = None
        if self.preserve_labels:
            over = stored_label(self._get_preserve_labels_source_label(new_label))
        if self.painter is not None:
            self.painter.paint(self, name, make, tool, over)
            return
        step, painting = Step(tool=tool), make()
        for progress in paint(self.data.pyramid, painting, step, over):
            self.refresher.refresh(progress.window)
        if step:
            self.record(step)

    # What follows overrides napari's private methods.

    def _ensure_int_labels(self, data: Any) -> Any:
        if not isinstance(data, PaintLevels):
            raise TypeError("a corrections layer keeps the levels it was made with")
        return data

    def _reset_editable(self) -> None:
        self.editable = self.can_paint  # napari: not for multiscale data

    def _validate_label_in_range(self, label: int) -> None:
        if not 0 <= label <= 255 or not self.data.allowed[stored_label(label)]:
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

    def _draw(self, new_label: int, last_cursor_coord: Any, coordinates: Any) -> None:
        large = self._stroke is not None or self.brush_size > LARGE_BRUSH or self._must_wait
        if coordinates is None or self._mode not in (Mode.PAINT, Mode.ERASE) or not large:
            super()._draw(new_label, last_cursor_coord, coordinates)
            return
        if self._stroke is None:
            self._validate_label_in_range(new_label)
            label = stored_label(new_label)
            tool = "erase" if self._mode == Mode.ERASE else "brush"
            self._stroke = LargeStroke(self.brush_size, label, new_label, tool)
        drawn = self._stroke.add(self, coordinates)
        if drawn is not None:
            self._accumulate_updated_slice(drawn.slices)
            self._partial_labels_refresh()

    def _commit_staged_history(self) -> None:
        super()._commit_staged_history()
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            shown = shown_label(stroke.label)
            self._paint_large("Painting a stroke", stroke.painting, stroke.tool, shown)

    def _append_to_undo_history(self, item: list[Edit]) -> None:
        tool = {Mode.PAINT: "brush"}.get(self._mode, str(self._mode))
        step = Step(item, tool)
        super()._append_to_undo_history(step)
        self._log.made(step)

    def _get_flood_mask_and_bbox(
        self, coord: Any, new_label: int, _dims_to_paint: Any
    ) -> tuple[Mask, NDArray[np.intp], NDArray[np.intp], Pixels] | None:
        """Flood what is on screen; napari's own reads the whole image."""
        seed = Window(int(coord[0]), int(coord[1]), 1, 1)
        area = self._fillable(seed)
        if not seed.intersects(area):
            return None
        labels = self.data[area.slices]
        mask = self.bucket(new_label).fill(labels, (seed.y0 - area.y0, seed.x0 - area.x0))
        if mask is None:
            return None
        if reaches_border(mask, area, self.data.pyramid.window):
            show_info(CUT_FILL)
        low, high = self._compute_mask_bbox(mask)
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        corner = np.array([area.y0, area.x0])
        return mask[box], low + corner, high + corner, labels[box]

    def bucket(self, new_label: int) -> Bucket:
        """Which labels the bucket fills, as napari's own settings have it."""
        kept = None
        if self.preserve_labels:
            kept = self._get_preserve_labels_source_label(new_label)
        return Bucket(new_label, self.contiguous, kept)

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
        old = stored_labels(region_data)
        return Edit.record(window_of(volume_slice), mask, old, stored_label(new_label))

    def _abort_stroke(self) -> None:
        step, self._staged_history, self._block_history = Step(self._staged_history), [], False
        self._replay(step, undoing=True)
        if self._stroke is not None:
            drawn, self._stroke = self._stroke.painting().window, None
            self.refresher.refresh(drawn)

    def _replay(self, step: Step, undoing: bool) -> None:
        windows = list(step.replay(self.data.pyramid, undoing=undoing))
        if windows:
            self.refresher.refresh(union(*windows))


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
        With ``selected_label = class id + 1`` (:func:`shown_label`); 0 is the eraser.
    """
    schema = schema or store.schema
    names = {255: "not corrected", **value_names(schema)}
    return Labels(
        PaintLevels(store.pyramid, schema),
        name=name,
        colormap=correction_colormap(schema),
        features={"index": list(map(shown_label, names)), "class": list(names.values())},
        scale=scale,
        translate=translate,
        affine=affine,
        units=units,
        log=StepLog(store),
    )


def correction_colormap(schema: ClassSchema) -> DirectLabelColormap:
    """Colours of the labels that are painted; see ``value_colors``. The rest is transparent."""
    colors: dict[int | None, str] = {shown_label(v): c for v, c in value_colors(schema).items()}
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colors})
