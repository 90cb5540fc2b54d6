"""What changes in the view with offered weights, as a layer."""

from __future__ import annotations

from collections.abc import Iterator

from qtpy.QtCore import QObject, Signal

from napari_relay.exploring import ViewChanges, version_changes
from napari_relay.widgets.changes_overlay import ChangesOverlay
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.finetuner import Offer
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.session_layers import SessionLayers

COMPARING = "Comparing the new weights"


class OfferChanges(QObject):
    """Compares the view with old and new weights, in a worker of its own.

    Parameters
    ----------
    controller
        Whose view and offers.
    """

    advanced = Signal(str)
    """What is to be said of it now."""

    def __init__(self, controller: RelayController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_changes)
        self._overlay: ChangesOverlay | None = None
        self._layers: SessionLayers | None = None
        controller.finetuner.offered.connect(self._on_offered)
        controller.closing.connect(self.close)
        controller.images_changed.connect(self._on_images)

    @property
    def overlay(self) -> ChangesOverlay | None:
        """What is shown; None before anything was."""
        return self._overlay

    def compare(self) -> None:
        """Show what changes in the view, from its middle outwards."""
        offer, view = self._controller.finetuner.offer, self._controller.view
        if offer is None or view is None or offer.layers is not self._controller.current:
            self.advanced.emit("Go to the image that was fine-tuned to see what changes.")
            return
        session = offer.layers.session
        old, image, options = session.checkpoint, session.model_image, session.options
        if old is None or image is None:
            return
        self._begin(offer.layers)
        new = offer.result.state

        def run() -> Iterator[ViewChanges]:
            yield from version_changes(old, new, image, view, options)

        self.advanced.emit("Comparing …")
        self.jobs.start(COMPARING, run)

    def close(self) -> None:
        """Stop comparing, and show nothing more."""
        self.jobs.cancel()
        if self._overlay is not None:
            self._overlay.close()

    def _begin(self, layers: SessionLayers) -> None:
        if self._layers is not layers:
            self._end()
            self._layers = layers
            self._overlay = ChangesOverlay(layers.base, layers.insert)

    def _end(self) -> None:
        """Take the layer away."""
        self.jobs.cancel()
        overlay, self._overlay, self._layers = self._overlay, None, None
        if overlay is not None:
            overlay.close()
            shown = self._controller.viewer.layers
            if overlay.layer is not None and overlay.layer in shown:
                shown.remove(overlay.layer)

    def _on_offered(self, offer: Offer | None) -> None:
        if offer is None:
            self._end()

    def _on_images(self) -> None:
        if self._layers is not None and self._layers not in self._controller.layers:
            self._end()

    def _on_changes(self, found: ViewChanges) -> None:
        offer, overlay = self._controller.finetuner.offer, self._overlay
        if offer is None or overlay is None:
            return
        if overlay.layer is not None and overlay.layer not in self._controller.viewer.layers:
            overlay.forget_layer()
        if found.done == 1 or overlay.layer is None:
            overlay.begin(found.area, offer.result.state.metadata.classes)
        overlay.add(found.changes)
        self.advanced.emit(_sentence(found, offer.result.state.metadata.classes.names))


def _sentence(found: ViewChanges, names: tuple[str, ...]) -> str:
    so_far = "" if found.done == found.total else f" ({found.done} of {found.total} tiles)"
    left_out = f"; {found.left_out} tiles farther out were left out" if found.left_out else ""
    kinds = [f"{names[a]} → {names[b]}" for (a, b), _ in found.tally.largest[:2]]
    mostly = f", mostly {' and '.join(kinds)}" if kinds else ""
    return f"{found.tally.share:.1%} of the view changes{mostly}{so_far}{left_out}."
