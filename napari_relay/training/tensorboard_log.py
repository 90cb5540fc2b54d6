"""Event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


def has_tensorboard() -> bool:
    """Whether event files can be written."""
    return find_spec("tensorboard") is not None


class TensorBoardLog:
    """Writes event files; :meth:`close` it at the end.

    Parameters
    ----------
    folder
        Where they are written.
    step
        Steps that are done: what is there of later ones is hidden, since a resumed
        run does them again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write values of a step, by tag."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        """Put what was written on disk."""
        self._writer.flush()

    def close(self) -> None:
        """Put what was written on disk and end the thread that does so."""
        self._writer.close()
