"""Probes and what-if runs of one image: asked for here, run in workers, shown as layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_relay.exploring import (
    Place,
    Probe,
    ViewChanges,
    WhatIf,
    probe,
    require_relay_tokens,
    view_changes,
    what_if,
)
from napari_relay.exploring.place import windows_at
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import PredictOptions
from napari_relay.session import Session
from napari_relay.widgets.changes_overlay import ChangesOverlay
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.probe_layers import ProbeLayers
from relay_tokens import Checkpoint, UserError

PROBING = "Probing"
COMPARING = "Comparing"


@dataclass(frozen=True)
class _Model:
    """What a request runs on, fixed when it is made."""

    checkpoint: Checkpoint
    image: PyramidImage
    options: PredictOptions


@dataclass(frozen=True)
class _Answer:
    """A result, and the number of the request that it answers."""

    number: int
    result: Probe | ViewChanges


class Prober(QObject):
    """Answers the newest request only; those before it are dropped, run or unrun.

    Probes and what-if runs have a worker each, so that a click is answered while
    a view is compared, and neither stops a prediction.

    Parameters
    ----------
    viewer
        The viewer.
    session
        Whose model in use is asked.
    base
        Layer of the session's image.
    insert
        Puts a new layer into the viewer.
    """

    probed = Signal(object)
    """A :class:`Probe` is shown."""
    compared = Signal(object)
    """A :class:`ViewChanges` is shown: the changes of one more window."""
    changed = Signal()
    """Something began or ended, or the probe was taken away."""

    def __init__(
        self, viewer: Viewer, session: Session, base: Image, insert: Callable[[Layer], None]
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self.layers = ProbeLayers(viewer, base, insert)
        self.changes = ChangesOverlay(base, insert)
        self.probe: Probe | None = None
        self.comparison: ViewChanges | None = None
        self.question: WhatIf | None = None
        self._session = session
        self._newest_probe = self._newest_comparison = 0
        self._compares_view = False
        self._probing, self.comparisons = JobRunner(self), JobRunner(self)
        for jobs, apply in ((self._probing, self._on_probe), (self.comparisons, self._on_changes)):
            jobs.advanced.connect(apply)
            jobs.started.connect(self.changed)
            jobs.ended.connect(self.changed)

    @property
    def overlays(self) -> list[Layer]:
        """The layers that there are, lowest first."""
        changes = self.changes.layer
        return [*self.layers.all, *([] if changes is None else [changes])]

    def forget_layer(self, layer: Layer) -> None:
        """Take note that the person has deleted a layer."""
        self.layers.forget(layer)
        if layer is self.changes.layer:
            self.changes.forget_layer()

    @property
    def refusal(self) -> str:
        """Why the model in use cannot be probed, as a sentence; empty if it can."""
        checkpoint = self._session.checkpoint
        if checkpoint is None:
            return ""
        try:
            require_relay_tokens(checkpoint)
        except UserError as error:
            return str(error)
        return ""

    @property
    def ready(self) -> bool:
        """Whether there is a model that can be probed."""
        return self._session.checkpoint is not None and not self.refusal

    @property
    def probing(self) -> bool:
        """Whether a place is being probed."""
        return self._probing.running

    @property
    def comparing(self) -> bool:
        """Whether two contexts are being compared."""
        return self.comparisons.running

    def look_at(self, place: Place) -> None:
        """Probe a place; what is shown of an earlier one goes when this arrives."""
        model = self._model()
        if model is None:
            return
        self._newest_probe += 1
        number = self._newest_probe

        def run() -> Iterator[_Answer]:
            yield _Answer(number, probe(model.checkpoint, model.image, place, model.options))

        self._probing.start(PROBING, run)

    def compare(self, question: WhatIf) -> None:
        """Show what changes in the probed window with another context."""
        model, probed = self._model(), self.probe
        if model is None or probed is None:
            return
        number = self._begin(question, is_view=False)

        def run() -> Iterator[_Answer]:
            parts = (model.checkpoint, model.image, probed.place, question, model.options)
            changes = what_if(*parts)
            yield _Answer(number, ViewChanges(changes, changes.tally, 1, 1, 0, changes.window))

        self.comparisons.start(COMPARING, run)

    def compare_view(self, question: WhatIf, view: Window) -> None:
        """Show what changes in the view with another context, from its middle outwards."""
        model = self._model()
        if model is None:
            return
        number = self._begin(question, is_view=True)

        def run() -> Iterator[_Answer]:
            parts = (model.checkpoint, model.image, view, question, model.options)
            for result in view_changes(*parts):
                yield _Answer(number, result)

        self.comparisons.start(COMPARING, run)

    def show_other(self, place: Place | None) -> None:
        """Outline the wide view of another place; None: no longer."""
        model = self._model()
        if model is None or place is None:
            self.layers.show_other(None)
        else:
            found = windows_at(place, model.image, model.checkpoint.model)
            self.layers.show_other(found.global_)

    def cancel(self) -> None:
        """Stop comparing; what is shown stays."""
        self.comparisons.cancel()

    def clear(self) -> None:
        """Stop everything and show nothing."""
        self._stop()
        self.probe = self.comparison = self.question = None
        self.layers.clear()
        for layer in self.overlays:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self.changed.emit()

    def follow_model(self) -> None:
        """Another model is in use: probe the same place with it."""
        place = self.probe.place if self.probe is not None else None
        self._stop()
        self._forget_comparison()
        self.probe = None  # its classes are the other model's
        if not self.ready:
            self.clear()
        elif place is not None:
            self.look_at(place)
        self.changed.emit()

    def close(self) -> None:
        """Run nothing more."""
        self._stop()
        self.layers.close()
        self.changes.close()

    # --- within

    def _model(self) -> _Model | None:
        session = self._session
        if session.checkpoint is None or session.model_image is None or not self.ready:
            return None
        return _Model(session.checkpoint, session.model_image, session.options)

    def _begin(self, question: WhatIf, *, is_view: bool) -> int:
        self._forget_comparison()
        self.question, self._compares_view = question, is_view
        self._newest_comparison += 1
        return self._newest_comparison

    def _forget_comparison(self) -> None:
        self.comparison = self.question = None
        self.changes.clear()

    def _stop(self) -> None:
        """Stop both workers; what they still say is said to nobody."""
        self._newest_probe += 1
        self._newest_comparison += 1
        self._probing.cancel()
        self.comparisons.cancel()

    def _on_probe(self, answer: _Answer) -> None:
        if answer.number != self._newest_probe or not isinstance(answer.result, Probe):
            return
        self.probe = answer.result
        if not self._compares_view:
            self._newest_comparison += 1  # it was about the window of another place
            self._forget_comparison()
        self.layers.show_probe(answer.result)
        self.probed.emit(answer.result)

    def _on_changes(self, answer: _Answer) -> None:
        checkpoint, found = self._session.checkpoint, answer.result
        if answer.number != self._newest_comparison or not isinstance(found, ViewChanges):
            return
        if self.comparison is None and checkpoint is not None:
            self.changes.begin(found.area, checkpoint.metadata.classes)
        self.comparison = found
        self.changes.add(found.changes)
        self.compared.emit(found)
