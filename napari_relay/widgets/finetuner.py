"""Fine-tuning beside a running prediction, and what becomes of its result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

from napari_relay.inference import PredictionStore
from napari_relay.session import ModelVersion
from napari_relay.training import (
    CorrectedImage,
    FinetuneOptions,
    FinetuneProgress,
    FinetuneResult,
)
from napari_relay.widgets.jobs import JobRunner, report
from napari_relay.widgets.open_images import OpenImages
from napari_relay.widgets.session_layers import SessionLayers
from relay_tokens import UserError

FINETUNING = "Fine-tuning"


@dataclass(frozen=True)
class Offer:
    """New weights that await a person's word."""

    layers: SessionLayers
    """Of the image they were trained on."""
    result: FinetuneResult
    """The weights and what was measured."""


@dataclass(frozen=True)
class Accepted:
    """New weights that are in use now."""

    layers: SessionLayers
    """Of the image."""
    version: ModelVersion
    """What they are now."""
    before: PredictionStore
    """What the weights before had predicted."""


class Finetuner(QObject):
    """Trains on the corrections of the open images; the model in use goes on predicting.

    Parameters
    ----------
    images
        The open images.
    """

    progressed = Signal(object)
    """A :class:`FinetuneProgress` arrived."""
    offered = Signal(object)
    """An :class:`Offer` awaits a person's word; None: it no longer does."""
    accepted = Signal(object)
    """New weights are in use: an :class:`Accepted`."""

    def __init__(self, images: OpenImages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images = images
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_progress)
        self.layers: SessionLayers | None = None
        self.offer: Offer | None = None
        self._stop = threading.Event()

    def start(
        self, options: FinetuneOptions, *, with_others: bool = False, from_base: bool = False
    ) -> None:
        """Train on the corrections, then offer the new weights.

        Parameters
        ----------
        options
            How long and how.
        with_others
            Whether the corrections of all open images are learnt from.
        from_base
            Whether to start from the model as it was loaded.
        """
        layers = self._images.current
        if layers is None or layers.session.checkpoint is None:
            return
        self.reject()
        self.layers, self._stop = layers, threading.Event()
        session, should_stop = layers.session, self._stop.is_set
        others = self.others(layers) if with_others else []

        def run() -> Iterator[FinetuneProgress]:
            yield from session.finetune(options, should_stop, others, from_base)

        self.jobs.start(FINETUNING, run)

    def others(self, layers: SessionLayers | None) -> list[CorrectedImage]:
        """What was painted on the other open images with the classes of one's model."""
        checkpoint = layers.session.checkpoint if layers else None
        if checkpoint is None:
            return []
        found = [
            one.session.corrected(checkpoint.metadata)
            for one in self._images.layers
            if one is not layers
        ]
        return [CorrectedImage(*pair) for pair in found if pair is not None]

    def stop(self) -> None:
        """End after the step it is in, and offer the best weights so far."""
        self._stop.set()

    def cancel(self) -> None:
        """End, and offer nothing."""
        self._stop.set()
        self.jobs.cancel()

    def forget(self, layers: SessionLayers | None) -> None:
        """Take note that an image was closed, or works with another model."""
        if layers is not None and self.layers is layers:
            self.cancel()
            self.reject()

    def reject(self) -> None:
        """Keep the weights in use; those offered are gone."""
        if self.offer is not None:
            self.offer = None
            self.offered.emit(None)

    def accept(self) -> None:
        """Keep the offered weights as a new version, and use them; a mistake is shown."""
        offer = self.offer
        if offer is None:
            return
        before = offer.layers.session.store
        try:
            version = offer.layers.session.accept(offer.result.state)
        except UserError as error:
            report(error)
            return
        self.reject()
        show_info(f"{version.label} is in use.")
        assert before is not None
        self.accepted.emit(Accepted(offer.layers, version, before))

    def _on_progress(self, progress: FinetuneProgress) -> None:
        self.progressed.emit(progress)
        if progress.result is not None and self.layers is not None:
            self.offer = Offer(self.layers, progress.result)
            self.offered.emit(self.offer)
