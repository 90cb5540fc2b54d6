"""Where napari-relay keeps what it writes without being told a path."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

HOME_VARIABLE = "NAPARI_RELAY_HOME"
"""Environment variable that moves both folders, e.g. to a larger disk."""


def cache_folder() -> Path:
    """Folder of what can be computed again: pyramids of images without levels."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / "cache" if home else user_cache_path("napari-relay", appauthor=False)


def data_folder() -> Path:
    """Folder of what cannot be computed again: corrections and model versions."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / "data" if home else user_data_path("napari-relay", appauthor=False)
