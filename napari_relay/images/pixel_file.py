"""A file that does not pass over missing bytes in silence."""

from __future__ import annotations

import io
import os
from pathlib import Path


class PixelFile(io.BufferedReader):
    """A file that raises, once it is strict, where it would give fewer bytes than asked for.

    Decoders of JPEG take what is missing for grey, and a byte count that is
    damaged must not have memory reserved for it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.strict = False

    def read(self, size: int | None = -1, /) -> bytes:
        """At most, or when strict exactly, ``size`` bytes."""
        if self.strict and size is not None:
            left = os.fstat(self.fileno()).st_size - self.tell()
            if size > left:
                raise EOFError(f"{size} bytes wanted, {left} left")
        return super().read(size)
