"""The layer that shows how sure a prediction is, and where the two scales disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from napari.layers import Image
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_relay.inference import PredictionStore
from napari_relay.inference.levels import LevelArray
from napari_relay.session import Session
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.layer_files.place import place_metadata

QUANTITY_KEY = "napari-relay-quantity"
"""Key of a layer's metadata that says which score it shows."""

ScoreName = Literal["confidence", "entropy", "disagreement"]
Levels = tuple[LevelArray, ...]


@dataclass(frozen=True)
class Score:
    """One number a pixel that a prediction store keeps besides the class."""

    name: ScoreName
    """Name in the store."""
    title: str
    """Name of the layer, and in the panel."""
    colormap: str
    """Bright is what the title says: sure, unsure, of two minds."""
    tooltip: str
    """What it is, in a sentence."""


SCORES: dict[ScoreName, Score] = {
    score.name: score
    for score in (
        Score(
            "confidence",
            "Confidence",
            "viridis",
            "Probability of the class that was chosen: dark is unsure, bright is sure",
        ),
        Score(
            "entropy",
            "Entropy",
            "magma",
            "How evenly the probability is spread over all classes: bright is unsure",
        ),
        Score(
            "disagreement",
            "Scale disagreement",
            "magma",
            "Bright where the detailed and the wide crop would choose different classes",
        ),
    )
}
"""All of them, in the order of the panel."""


def score_levels(store: PredictionStore, name: ScoreName) -> Levels | None:
    """Levels ``(y, x)`` of a score, 1 ... 255 for 0 ... 1; None when the store has none."""
    levels = {
        "confidence": store.confidence,
        "entropy": store.entropy,
        "disagreement": store.disagreement,
    }
    return levels[name]


class ScoreOverlay:
    """Shows one score at a time, in one layer.

    Parameters
    ----------
    session
        Whose prediction store is read.
    base
        Layer of the session's image.
    insert
        Puts a new layer into the viewer.
    """

    def __init__(self, session: Session, base: Image, insert: Callable[[Image], None]) -> None:
        self.layer: Image | None = None
        self._session, self._base = session, base
        self._insert = insert
        self._name: ScoreName = "confidence"

    @property
    def shown(self) -> ScoreName | None:
        """Which score the person sees."""
        return self._name if self.layer is not None and self.layer.visible else None

    def show(self, name: ScoreName) -> None:
        """Show a score, if the store keeps it."""
        self._name = name
        if self._levels() is None:
            self.hide()
            return
        if self.layer is None:
            self.layer = self._make_layer()
            self._insert(self.layer)
        self.follow_store()
        self.layer.visible = True

    def hide(self) -> None:
        """Hide the layer."""
        if self.layer is not None:
            self.layer.visible = False

    def forget_layer(self) -> None:
        """Take note that the person has deleted the layer."""
        self.layer = None

    def follow_store(self) -> None:
        """Show the score from the store that is in use now."""
        levels, score = self._levels(), SCORES[self._name]
        if self.layer is None:
            return
        if levels is None:
            self.hide()
            return
        self.layer.data = list(levels)
        self.layer.colormap = clear_below(score.colormap)
        self.layer.name = score.title
        self.layer.metadata[QUANTITY_KEY] = score.name

    def refresh(self) -> None:
        """Draw again: tiles have arrived."""
        if self.layer is not None and self.layer.visible:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _levels(self) -> Levels | None:
        store = self._session.store
        return None if store is None else score_levels(store, self._name)

    def _make_layer(self) -> Image:
        levels, score = self._levels(), SCORES[self._name]
        assert levels is not None
        return Image(
            list(levels),
            multiscale=True,
            name=score.title,
            colormap=clear_below(score.colormap),
            contrast_limits=(1, 255),
            opacity=0.7,
            cache=False,
            metadata={QUANTITY_KEY: score.name, **place_metadata(self._session.image)},
            **placement_of(self._base),
        )


def clear_below(name: str) -> Colormap:
    """A colormap in which what is not predicted, below the contrast limits, is transparent."""
    colors = ensure_colormap(name).colors
    return Colormap(colors, name=f"{name}, clear below", low_color=(0, 0, 0, 0))
