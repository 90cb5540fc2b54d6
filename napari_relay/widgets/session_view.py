"""How an image is shown, as a session remembers it."""

from __future__ import annotations

from typing import cast, get_args

from napari.layers import Labels, Layer

from napari_relay.images.relief import STYLES
from napari_relay.inference.attention import BRANCHES, Direction
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.sessions import AttentionLook, ImageView, LayerLook
from napari_relay.sessions.manifest import LayerKind
from napari_relay.widgets.band_display import BandChoice
from napari_relay.widgets.image_layer import pyramid_of, shown_bands
from napari_relay.widgets.score_overlay import SCORES
from napari_relay.widgets.sections.attention_section import AttentionSection
from napari_relay.widgets.sections.image_section import ImageSection
from napari_relay.widgets.session_layers import SessionLayers


class ViewKeeper:
    """Describes how images are shown, and shows them so again.

    Parameters
    ----------
    image
        Section of the panel that knows bands, contrast and relief.
    attention
        Section that knows which attention is chosen.
    """

    def __init__(self, image: ImageSection, attention: AttentionSection) -> None:
        self._image = image
        self._attention = attention

    def describe(self, layers: SessionLayers, before: ImageView) -> ImageView:
        """How an image is shown now.

        Parameters
        ----------
        layers
            Of the image.
        before
            How it was shown; it is kept of layers that are not there now.
        """
        image = pyramid_of(layers.base)
        if image is None:
            return before
        choice = self._image.display.choice_of(layers.base, image)
        style = self._image.reliefs.style_of(layers.base)
        looks = {kind: _look(layer) for kind, layer in self._layers(layers).items()}
        return ImageView(
            None if choice.bands == tuple(shown_bands(image)) else choice.bands,
            choice.contrast,
            style.label if style is not None else None,
            layers.shown_score,
            _attention_look(layers),
            {**before.layers, **looks},
        )

    def show_image(self, layers: SessionLayers, view: ImageView) -> None:
        """Show bands, contrast and relief again.

        Raises
        ------
        UserError
            When the relief cannot be worked out.
        """
        image = pyramid_of(layers.base)
        if image is None:
            return
        bands = view.bands or tuple(shown_bands(image))
        if max(bands) < len(image.bands):
            self._image.display.show(layers.base, image, BandChoice(bands, view.contrast))
        style = next((s for s in STYLES if s.label == view.relief), None)
        if style is not None:
            self._image.reliefs.show(layers.base, image, style)
        self._image.refresh_shown()
        self._apply_looks(layers, view)

    def show_results(self, layers: SessionLayers, view: ImageView, *, is_current: bool) -> None:
        """Show again what a model found: overlays, attention, how visible they are."""
        if view.score in SCORES:
            layers.show_score(view.score)
        look = view.attention
        branches = [branch for branch in BRANCHES if branch in look.branches]
        direction = look.direction if look.direction in get_args(Direction) else "relay_to_patch"
        blocks = look.blocks[0] if look.blocks and len(look.blocks) == 1 else look.blocks
        choice = AttentionChoice(cast(Direction, direction), blocks, look.token, look.head)
        if is_current:
            self._attention.choose(branches, choice)
        elif branches:
            layers.attention.show(branches, choice)
        self._apply_looks(layers, view)

    def _apply_looks(self, layers: SessionLayers, view: ImageView) -> None:
        for kind, layer in self._layers(layers).items():
            if kind in view.layers:
                _apply_look(layer, view.layers[kind])

    def _layers(self, layers: SessionLayers) -> dict[LayerKind, Layer]:
        found: dict[LayerKind, Layer | None] = {
            "image": layers.base,
            "relief": self._image.reliefs.layer_of(layers.base),
            "prediction": layers.prediction,
            "score": layers.score,
            "corrections": layers.corrections,
        }
        return {kind: layer for kind, layer in found.items() if layer is not None}


def _look(layer: Layer) -> LayerLook:
    contour = int(layer.contour) if isinstance(layer, Labels) else 0
    return LayerLook(bool(layer.visible), float(layer.opacity), contour)


def _apply_look(layer: Layer, look: LayerLook) -> None:
    layer.visible = look.visible
    layer.opacity = min(max(look.opacity, 0.0), 1.0)
    if isinstance(layer, Labels):
        layer.contour = max(look.contour, 0)


def _attention_look(layers: SessionLayers) -> AttentionLook:
    choice = layers.attention.choice
    blocks = (choice.block,) if isinstance(choice.block, int) else choice.block
    return AttentionLook(
        choice.direction,
        tuple(layers.attention.shown),
        tuple(blocks) if blocks is not None else None,
        choice.token,
        choice.head,
    )
