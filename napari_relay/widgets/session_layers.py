"""The napari layers that show a session, over the layer of its image."""

from __future__ import annotations

from typing import Any

from napari.components import LayerList
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, TileResult
from napari_relay.session import Session
from napari_relay.widgets.area_layer import AreaLayer
from napari_relay.widgets.attention_layers import AttentionLayers
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.layer_files.place import place_metadata
from napari_relay.widgets.paintable_labels import Labels as PaintableLabels
from napari_relay.widgets.paintable_labels import correction_colormap, corrections_layer
from napari_relay.widgets.painter import Painter
from napari_relay.widgets.place_finder import PlaceFinder
from napari_relay.widgets.prober import Prober
from napari_relay.widgets.region_refresh import RegionRefresher
from napari_relay.widgets.region_tools import RegionTools
from napari_relay.widgets.score_overlay import ScoreName, ScoreOverlay
from relay_tokens import IGNORE_INDEX, ClassSchema

BACKGROUND = "background"
"""Name of the class of everything that is not looked for."""
_VEIL = "40"
"""Opacity of its colour: a quarter, as the two digits that follow a colour's six."""
_REFRESH_MS = 400
"""How often layers without a partial refresh follow arriving tiles."""


class SessionLayers:
    """Keeps the layers of a session in step with it.

    A layer that the person deletes stays away until it is asked for again; all
    other changes (names, order, opacity, visibility) are theirs to make.
    """

    def __init__(self, viewer: Viewer, session: Session, base: Image) -> None:
        self.viewer = viewer
        self.session = session
        self.base = base
        self.prediction: Labels | None = None
        self.corrections: PaintableLabels | None = None
        self.areas = AreaLayer(viewer, base)
        self._score = ScoreOverlay(session, base, self._insert)
        self.attention = AttentionLayers(session, base, self._insert)
        self.prober = Prober(viewer, session, base, self._insert)
        self.places = PlaceFinder(viewer, session, base, self._insert)
        self.painter = Painter()
        self.tools = RegionTools(self.painter, lambda: self.corrections, lambda: session.store)
        self._refresher: RegionRefresher | None = None
        self._painted: CorrectionStore | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._refresh_slow_layers)
        session.events.model_changed.connect(self._on_model_changed)
        session.events.colors_changed.connect(self._on_colors_changed)
        session.events.tile_predicted.connect(self._on_tile)
        viewer.layers.events.removed.connect(self._on_removed)

    def stop_following(self) -> None:
        """Follow the session no more; the layers stay."""
        self._timer.stop()
        self.attention.close()
        self.prober.close()
        self.places.close()
        self.painter.close()
        self.session.events.model_changed.disconnect(self._on_model_changed)
        self.session.events.colors_changed.disconnect(self._on_colors_changed)
        self.session.events.tile_predicted.disconnect(self._on_tile)
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    def close(self) -> None:
        """Follow the session no more, and take its layers out of the viewer in a moment.

        Not at once: napari may be in the midst of removing several layers, these too.
        """
        self.stop_following()
        overlays, shown = [*self._overlays(), *self.areas.layers], self.viewer.layers
        QTimer.singleShot(0, lambda: _remove(shown, overlays))

    @property
    def score(self) -> Image | None:
        """Layer of confidence, entropy or scale disagreement; None until it is asked for."""
        return self._score.layer

    @property
    def shown_score(self) -> ScoreName | None:
        """Which of them the person sees."""
        return self._score.shown

    @property
    def busy(self) -> bool:
        """Whether something that will be shown is still being read."""
        return self.attention.reading

    def owns(self, layer: Layer) -> bool:
        """Whether a layer is the session's image or one of its overlays."""
        return any(layer is own for own in (self.base, self.areas.layer, *self._overlays()))

    def _overlays(self) -> list[Layer]:
        overlays = (self.prediction, self.score, *self.attention.layers, self.corrections)
        shown = [layer for layer in (*overlays, self.places.layer) if layer is not None]
        return shown + self.prober.overlays

    # --- what a panel asks for

    def follow_view(self, view: Window) -> None:
        """Note which level-0 pixels are on screen."""
        self.attention.follow(view)
        self.prober.layers.follow_zoom()
        self.places.follow_zoom()

    def show_prediction(self) -> None:
        """Show the class mask, made anew if the person has deleted it."""
        if self.prediction is None and self.session.store is not None:
            self.prediction = self._add_prediction(self.session.store)
        if self.prediction is not None:
            self.prediction.visible = True

    def show_corrections(self) -> PaintableLabels | None:
        """Show the layer to paint in, made anew if the person has deleted it."""
        if self.corrections is None and self.session.corrections is not None:
            self._painted = self.session.corrections
            self.corrections = self._add_corrections(self._painted)
        if self.corrections is not None:
            self.corrections.visible = True
            self.viewer.layers.selection.active = self.corrections
        return self.corrections

    def insert(self, layer: Layer) -> None:
        """Add a layer above the image and the session's other layers."""
        self._insert(layer)

    def show_score(self, name: ScoreName) -> None:
        """Show how sure the model is, or where the scales disagree."""
        self._score.show(name)

    def hide_score(self) -> None:
        """Hide confidence, entropy or scale disagreement."""
        self._score.hide()

    # --- following the session

    def _on_model_changed(self) -> None:
        store, corrections = self.session.store, self.session.corrections
        if store is None:
            return
        if corrections is not None and self.session.version is not None:
            corrections.log.model = self.session.version.label
        if self.prediction is None:
            self.prediction = self._add_prediction(store)
        else:
            self.prediction.data = list(store.labels)
            self.prediction.colormap = class_colormap(store.classes)
            self.prediction.features = class_features(store.classes)
            self._refresher = RegionRefresher(self.prediction)
        self._score.follow_store()
        if self._painted is not corrections:
            if self.corrections is not None:
                self.viewer.layers.remove(self.corrections)
            self._painted = corrections
            if corrections is not None:
                self.corrections = self._add_corrections(corrections)
        if not store.has_attention:
            for layer in self.attention.layers:
                self.viewer.layers.remove(layer)
        self.attention.refresh()
        self.prober.follow_model()

    def _on_colors_changed(self) -> None:
        classes = self.session.classes
        if classes is None:
            return
        if self.prediction is not None:
            self.prediction.colormap = class_colormap(classes)
        if self.corrections is not None:
            self.corrections.colormap = correction_colormap(classes)

    def _on_tile(self, result: TileResult) -> None:
        if self._refresher is not None:
            self._refresher.refresh(result.tile)
        if not self._timer.isActive():
            self._timer.start()

    def refresh_thumbnail(self) -> None:
        """Draw the mask's thumbnail anew, which follows no single tile."""
        if self.prediction is not None and self.prediction.visible:
            self.prediction.refresh()

    def _refresh_slow_layers(self) -> None:
        self._score.refresh()
        self.attention.refresh()

    def _on_removed(self, event: Any) -> None:
        for name in ("prediction", "corrections"):
            if getattr(self, name) is event.value:
                setattr(self, name, None)
        self.attention.forget_layer(event.value)
        if self.score is event.value:
            self._score.forget_layer()
        self.prober.forget_layer(event.value)
        self.places.forget_layer(event.value)
        if self.prediction is None:
            self._refresher = None

    # --- making layers

    def _add_prediction(self, store: PredictionStore) -> Labels:
        layer = Labels(
            list(store.labels),
            multiscale=True,
            name="Prediction",
            colormap=class_colormap(store.classes),
            features=class_features(store.classes),
            opacity=0.5,
            cache=False,
            metadata=place_metadata(self.session.image),
            **placement_of(self.base),
        )
        self._refresher = RegionRefresher(layer)
        self._insert(layer)
        return layer

    def _add_corrections(self, corrections: CorrectionStore) -> PaintableLabels:
        layer = corrections_layer(corrections, self.session.classes, **placement_of(self.base))
        layer.can_paint = layer.editable = not self.session.read_only
        layer.painter = self.painter
        layer.metadata.update(place_metadata(self.session.image))
        self._insert(layer)
        return layer

    def _insert(self, layer: Layer, under: Layer | None = None) -> None:
        """Add a layer above the image and the session's other layers, kept in order.

        Or right under one of them, if that is in the viewer.
        """
        below = (self.base, *self._overlays())
        places = [self.viewer.layers.index(x) for x in below if x in self.viewer.layers]
        selected = set(self.viewer.layers.selection)
        top = max(places, default=len(self.viewer.layers) - 1) + 1
        for above in (self.corrections, under):
            if above is not None and above in self.viewer.layers:
                top = self.viewer.layers.index(above)
        self.viewer.layers.insert(top, layer)
        self.viewer.layers.selection = selected


def _remove(shown: LayerList, layers: list[Layer]) -> None:
    for layer in layers:
        if layer in shown:
            shown.remove(layer)


def class_features(classes: ClassSchema) -> dict[str, list[Any]]:
    """What each label of a class mask is called, for the cursor's tooltip and for saving."""
    labels = [*range(len(classes)), IGNORE_INDEX]
    return {"index": labels, "class": [*classes.names, "not predicted"]}


def class_colormap(classes: ClassSchema) -> DirectLabelColormap:
    """Colours of class labels ``0 ... n - 1``; everything else is transparent.

    The background is a veil: enough to tell what is predicted, and nothing that
    it lies on is hidden.
    """
    colors: dict[int | None, Any] = {
        k: color + _VEIL if name == BACKGROUND else color
        for k, (name, color) in enumerate(zip(classes.names, classes.colors, strict=True))
    }
    return DirectLabelColormap(
        color_dict={**colors, IGNORE_INDEX: "transparent", None: "transparent"}
    )
