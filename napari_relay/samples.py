"""The samples that come with the package."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "sample_data"


def sample_slide() -> Path:
    """A real H&E slide, 2220 × 2967 px at 0.499 µm (OpenSlide's test data, CC0-1.0)."""
    return _FOLDER / "CMU-1-Small-Region.svs"


def sample_terrain() -> Path:
    """Synthetic terrain, 768 × 768 px of 1 m (made by ``scripts/sample_terrain.py``)."""
    return _FOLDER / "synthetic-terrain.tif"


def sample_landscape() -> Path:
    """A synthetic landscape, 16384 × 16384 px of 0.5 m, computed when it is read."""
    return _FOLDER / "synthetic-site.landscape"


def sample_file(name: str) -> Path | None:
    """The sample with this file name; None: there is none here."""
    path = _FOLDER / Path(name).name
    return path if path.exists() else None


def sample_name(path: Path) -> str | None:
    """File name of a sample; None for any other file."""
    return path.name if path.parent == _FOLDER else None
