"""Packages that are not always installed."""

from __future__ import annotations

import importlib.util

from relay_tokens import UserError


def require(package: str, purpose: str) -> None:
    """Refuse to go on without a package.

    Raises
    ------
    UserError
        When it is not installed; ``purpose`` begins the sentence.
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f'{purpose} needs {package}; run: pip install "napari-relay[geo]".')
