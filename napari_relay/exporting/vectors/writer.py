"""Files that objects are written to."""

from __future__ import annotations

from typing import Protocol

from napari_relay.exporting.vectors.finding import FoundObjects


class ObjectWriter(Protocol):
    """Writes objects to a file, some at a time."""

    def write(self, found: FoundObjects) -> None:
        """Add objects.

        Raises
        ------
        UserError
            When they do not fit into the format.
        OSError
            When they cannot be written.
        """

    def finish(self) -> None:
        """Make the file whole."""

    def close(self) -> None:
        """Let go of the file, whole or not."""
