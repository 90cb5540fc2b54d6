"""Steps of painting in the log of corrections."""

from __future__ import annotations

from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.annotation.history import Step
from napari_relay.training.correction_values import value_names


class StepLog:
    """Notes what a person does to a store.

    Parameters
    ----------
    store
        Whose log it is.
    """

    def __init__(self, store: CorrectionStore) -> None:
        self._log = store.log
        self._names = value_names(store.schema)

    def made(self, step: Step) -> None:
        """Note a step that was painted."""
        step.entry = self._log.add(step.tool, step.window, step.counts, self._names)

    def mark(self, step: Step, *, undone: bool) -> None:
        """Note that a step was taken back, or made again."""
        if step.entry is not None:
            self._log.mark(step.entry, undone=undone)
