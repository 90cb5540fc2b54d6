"""Where the files of a session are, in words that another machine understands too."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from napari_relay.samples import sample_file, sample_name


@dataclass(frozen=True)
class FileReference:
    """A file or folder that a session needs and does not hold."""

    absolute: str
    """Its path on the machine that wrote it."""
    relative: str | None = None
    """From the session's folder, with ``/``; None: on another drive."""
    size: int | None = None
    """Bytes, by which another file is told; None: a folder, or not known."""
    sample: str | None = None
    """Its name among the samples that come with the package; None: it is none of them."""

    @classmethod
    def of(cls, path: Path, base: Path, *, sized: bool = True) -> FileReference:
        """Refer to a file from the folder ``base``.

        Parameters
        ----------
        path
            The file or folder.
        base
            Folder of the session.
        sized
            Whether its size tells it from others; it does not where the pixels are
            computed from what the file says.
        """
        absolute = Path(os.path.normpath(path.absolute()))
        return cls(
            str(absolute),
            _relative(absolute, base),
            _size(absolute) if sized else None,
            sample_name(absolute),
        )

    @property
    def name(self) -> str:
        """What a person reads, also of a path that another system wrote."""
        return PurePath(self.absolute.replace("\\", "/")).name

    def candidates(self, base: Path) -> list[Path]:
        """Where it may be, seen from the session's folder: the likeliest first."""
        own = sample_file(self.sample) if self.sample is not None else None
        beside = _joined(base, self.relative) if self.relative is not None else None
        return [path for path in (own, beside, Path(self.absolute)) if path is not None]

    def find(self, base: Path) -> Path | None:
        """Where it is; None: nowhere, or another file is there."""
        return next((path for path in self.candidates(base) if self.fits(path)), None)

    def fits(self, path: Path) -> bool:
        """Whether what lies there may be it: it is there, and of the same size."""
        try:
            path.stat()
        except (OSError, ValueError):  # gone, or a path of another system
            return False
        return self.size is None or self.size == _size(path)

    def seen_from(self, old: Path, new: Path) -> FileReference:
        """The same file for a session that moves from one folder to another."""
        found = self.find(old)
        if found is not None:
            return FileReference.of(found, new, sized=self.size is not None)
        relative = _joined(old, self.relative) if self.relative is not None else None
        return FileReference(
            self.absolute, _relative(relative, new) if relative else None, self.size, self.sample
        )


def relative_path(path: Path, base: Path) -> str | None:
    """A path from a folder, with ``/``; None where there is none, on another drive."""
    return _relative(path.absolute(), base)


def _relative(path: Path, base: Path) -> str | None:
    try:
        return Path(os.path.relpath(path, base.absolute())).as_posix()
    except ValueError:
        return None


def _joined(base: Path, relative: str) -> Path:
    return Path(os.path.normpath(base.absolute() / relative))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
