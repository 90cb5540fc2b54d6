"""The napari layers that show a session, over the layer of its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_relay.annotation import CorrectionStore
from napari_relay.inference import AttentionMap, PredictionStore, TileResult
from napari_relay.inference.attention import Branch, Direction
from napari_relay.session import Session
from napari_relay.widgets.image_layer import placement
from napari_relay.widgets.paintable_labels import Labels as PaintableLabels
from napari_relay.widgets.paintable_labels import corrections_layer
from napari_relay.widgets.region_refresh import RegionRefresher
from relay_tokens import IGNORE_INDEX, ClassSchema

_REFRESH_MS = 400
"""How often layers without a partial refresh follow arriving tiles."""


@dataclass(frozen=True)
class AttentionChoice:
    """Which attention is shown."""

    branch: Branch = "local"
    """Over the patches of the local or of the global crops."""
    direction: Direction = "relay_to_patch"
    """Relay tokens reading patches, or patches reading relay tokens."""
    block: int | None = None
    """Transformer block from 0; None: mean over blocks."""
    token: int | None = None
    """Relay token from 0; None: mean over relay tokens."""


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
        self.confidence: Image | None = None
        self.attention: Image | None = None
        self.corrections: PaintableLabels | None = None
        self.choice = AttentionChoice()
        self._refresher: RegionRefresher | None = None
        self._painted: CorrectionStore | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._refresh_slow_layers)
        session.events.model_changed.connect(self._on_model_changed)
        session.events.tile_predicted.connect(self._on_tile)
        viewer.layers.events.removed.connect(self._on_removed)

    def stop_following(self) -> None:
        """Follow the session no more; the layers stay."""
        self._timer.stop()
        self.session.events.model_changed.disconnect(self._on_model_changed)
        self.session.events.tile_predicted.disconnect(self._on_tile)
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    def close(self) -> None:
        """Follow the session no more, and take its layers out of the viewer."""
        self.stop_following()
        for layer in self._overlays():
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def owns(self, layer: Layer) -> bool:
        """Whether a layer is the session's image or one of its overlays."""
        return any(layer is own for own in (self.base, *self._overlays()))

    def _overlays(self) -> list[Layer]:
        overlays = (self.prediction, self.confidence, self.attention, self.corrections)
        return [layer for layer in overlays if layer is not None]

    # --- what a panel asks for

    def show_attention(self, choice: AttentionChoice) -> None:
        """Show the chosen attention, with its own contrast."""
        self.choice = choice
        shown = self._attention_map()
        if shown is None:
            return
        if self.attention is None:
            self.attention = self._add_attention()
        self._fill_attention(shown)
        finite = shown.values[np.isfinite(shown.values)]
        if finite.size:
            low, high = np.percentile(finite, (1, 99))
            self.attention.contrast_limits = (float(low), float(max(high, low + 1e-6)))
        self.attention.name = _attention_name(choice)
        self.attention.visible = True

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

    def show_confidence(self, visible: bool) -> None:
        """Show or hide how sure the model is."""
        if self.confidence is None and visible and self.session.store is not None:
            self.confidence = self._add_confidence(self.session.store)
        if self.confidence is not None:
            self.confidence.visible = visible

    # --- following the session

    def _on_model_changed(self) -> None:
        store, corrections = self.session.store, self.session.corrections
        if store is None or corrections is None:
            return
        if self.prediction is None:
            self.prediction = self._add_prediction(store)
        else:
            self.prediction.data = list(store.labels)
            self.prediction.colormap = class_colormap(store.classes)
            self._refresher = RegionRefresher(self.prediction)
        if self.confidence is not None:
            self.confidence.data = list(store.confidence)
        if self._painted is not corrections:
            if self.corrections is not None:
                self.viewer.layers.remove(self.corrections)
            self._painted = corrections
            self.corrections = self._add_corrections(corrections)
        if self.attention is not None:
            if store.has_attention:
                self._refresh_attention()
            else:
                self.viewer.layers.remove(self.attention)

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
        if self.confidence is not None and self.confidence.visible:
            self.confidence.refresh(thumbnail=False, highlight=False, extent=False)
        if self.attention is not None and self.attention.visible:
            self._refresh_attention()

    def _on_removed(self, event: Any) -> None:
        for name in ("prediction", "confidence", "attention", "corrections"):
            if getattr(self, name) is event.value:
                setattr(self, name, None)
        if self.prediction is None:
            self._refresher = None

    # --- making layers

    def _add_prediction(self, store: PredictionStore) -> Labels:
        names = [*store.classes.names, "not predicted"]
        layer = Labels(
            list(store.labels),
            multiscale=True,
            name="Prediction",
            colormap=class_colormap(store.classes),
            features={"index": [*range(len(store.classes)), IGNORE_INDEX], "class": names},
            opacity=0.5,
            cache=False,
            **placement(self.session.image),
        )
        self._refresher = RegionRefresher(layer)
        self._insert(layer)
        return layer

    def _add_confidence(self, store: PredictionStore) -> Image:
        layer = Image(
            list(store.confidence),
            multiscale=True,
            name="Confidence",
            colormap="viridis",
            contrast_limits=(0, 255),
            opacity=0.7,
            cache=False,
            **placement(self.session.image),
        )
        self._insert(layer)
        return layer

    def _add_attention(self) -> Image:
        placed = placement(self.session.image)
        layer = Image(
            np.full((1, 1), np.nan, np.float32),
            name="Attention",
            colormap="inferno",
            opacity=0.65,
            interpolation2d="nearest",
            units=placed["units"],
        )
        self._insert(layer)
        return layer

    def _add_corrections(self, corrections: CorrectionStore) -> PaintableLabels:
        layer = corrections_layer(corrections, **placement(self.session.image))
        self._insert(layer)
        return layer

    def _insert(self, layer: Layer) -> None:
        """Add a layer above the image and the session's other layers, kept in order."""
        below = (self.base, *self._overlays())
        places = [self.viewer.layers.index(x) for x in below if x in self.viewer.layers]
        selected = set(self.viewer.layers.selection)
        top = max(places, default=len(self.viewer.layers) - 1) + 1
        if self.corrections is not None and self.corrections in self.viewer.layers:
            top = self.viewer.layers.index(self.corrections)
        self.viewer.layers.insert(top, layer)
        self.viewer.layers.selection = selected

    # --- attention

    def _attention_map(self) -> AttentionMap | None:
        store, choice = self.session.store, self.choice
        if store is None or not store.has_attention:
            return None
        return store.attention_map(choice.branch, choice.direction, choice.block, choice.token)

    def _refresh_attention(self) -> None:
        shown = self._attention_map()
        if shown is not None:
            self._fill_attention(shown)

    def _fill_attention(self, shown: AttentionMap) -> None:
        layer, pixel = self.attention, np.asarray(placement(self.session.image)["scale"])
        if layer is None:
            return
        layer.data = shown.values
        layer.scale = pixel * shown.factor
        layer.translate = pixel * np.asarray(shown.translate)


def class_colormap(classes: ClassSchema) -> DirectLabelColormap:
    """Colours of class labels ``0 ... n - 1``; everything else is transparent."""
    colors: dict[int | None, Any] = dict(enumerate(classes.colors))
    return DirectLabelColormap(
        color_dict={**colors, IGNORE_INDEX: "transparent", None: "transparent"}
    )


def _attention_name(choice: AttentionChoice) -> str:
    return f"Attention ({choice.branch})"
