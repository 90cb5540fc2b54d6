"""What an image says of the building of its levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from napari_relay.geometry import Window


class LevelBuild(Protocol):
    """Levels that a file lacks and that are being built, or about to be."""

    @property
    def is_complete(self) -> bool:
        """Whether all is there."""

    @property
    def done(self) -> int:
        """How many blocks are built."""

    @property
    def total(self) -> int:
        """How many blocks there are."""

    def run(self, spare_cores: int = 0) -> Iterator[Window]:
        """Build what is missing; yields the window of each block once it can be read.

        To be iterated in a worker thread. It can be closed between any two
        blocks and run again, in this process or another. While another process
        builds the same levels it yields what that one finishes, and an empty
        window now and then, so that it can be closed.

        Parameters
        ----------
        spare_cores
            Processor cores left to others.

        Yields
        ------
        Window
            Level-0 pixels in which the levels can now be read.

        Raises
        ------
        UserError
            When the disk is full, or the file vanished, changed, or is
            nothing but damage. What is built stays, and is gone on with.
        """
