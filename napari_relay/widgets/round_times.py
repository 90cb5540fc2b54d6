"""How long fine-tuning will take on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from qtpy.QtCore import QObject, Signal

from napari_relay.training import FinetuneOptions
from napari_relay.training.base_tiles import count_base_tiles
from napari_relay.training.finetuning_time import pass_seconds, round_seconds, suited
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.timers import single_shot
from relay_tokens import Checkpoint, RelaySegmenter

_MEASURING = "Measuring the model's speed"
_WAIT_MS = 2000
"""After a model was chosen: first the window shows it."""
_WORDS = {"head": "head and relay tokens", "adapters": "adapters", "all": "all weights"}


class _Speed(NamedTuple):
    """How fast a model is here."""

    kind: str
    """Its configuration as JSON."""
    pass_: float
    """Seconds of a forward pass of one crop pair."""
    base_tiles: int
    """Tiles of its training data that are rehearsed."""


class RoundTimes(QObject):
    """Measures once for each kind of model how long a forward pass takes, in a worker.

    Parameters
    ----------
    controller
        Whose model.
    """

    changed = Signal()
    """The speed is known now."""

    def __init__(self, controller: RelayController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_measured)
        self._measured: _Speed | None = None
        self._timer = single_shot(self, _WAIT_MS, self._measure)
        controller.model_changed.connect(self._on_model)
        controller.closing.connect(self._close)

    def sentence(self, options: FinetuneOptions) -> str:
        """What a round will do and about how long it takes; empty before that is known."""
        model, speed = self._model, self._measured
        if model is None or speed is None or speed.kind != model.config.to_json():
            return ""
        chosen = options
        if options.trains == "auto":
            chosen = suited(replace(options, steps=None), speed.pass_, speed.base_tiles)
            chosen = replace(chosen, steps=min(chosen.usual.steps, options.usual.steps))
        seconds = round_seconds(speed.pass_, chosen, speed.base_tiles)
        return (
            f"Trains {_WORDS[chosen.trains]} for {chosen.usual.steps} steps, "
            f"about {rounded(seconds)} here."
        )

    @property
    def _model(self) -> RelaySegmenter | None:
        checkpoint = self._checkpoint
        return checkpoint.model if checkpoint else None

    @property
    def _checkpoint(self) -> Checkpoint | None:
        session = self._controller.session
        return session.checkpoint if session else None

    def _on_model(self) -> None:
        model = self._model
        known = self._measured.kind if self._measured else ""
        if model is not None and model.config.to_json() != known:
            self._timer.start()

    def _measure(self) -> None:
        checkpoint = self._checkpoint
        if checkpoint is None or self._controller.jobs.running:
            if checkpoint is not None:
                self._timer.start()
            return
        model, tiles = checkpoint.model, checkpoint.base_tiles

        def run() -> Iterator[_Speed]:
            yield _Speed(model.config.to_json(), pass_seconds(model), count_base_tiles(tiles))

        self._jobs.start(_MEASURING, run)

    def _on_measured(self, found: _Speed) -> None:
        self._measured = found
        self.changed.emit()

    def _close(self) -> None:
        self._timer.stop()
        self._jobs.cancel()


def rounded(seconds: float) -> str:
    """A guess in words: whole seconds below 20 s, then five-second steps, then minutes."""
    if seconds < 20:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min"
