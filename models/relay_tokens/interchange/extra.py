"""Packages that only an exchange of models needs."""

from __future__ import annotations

from importlib.util import find_spec

from relay_tokens.errors import UserError


def require_packages(what: str, *names: str) -> None:
    """Refuse what cannot be done without packages that are not installed.

    Parameters
    ----------
    what
        What needs them, as the start of a sentence.
    names
        Names by which they are imported.

    Raises
    ------
    UserError
        Naming the first that is missing.
    """
    for name in names:
        if _is_missing(name):
            raise UserError(
                f"{what} needs {name}, which is not installed; run: "
                "pip install 'napari-relay[interchange]'."
            )


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ModuleNotFoundError:  # the package that it would lie in
        return True
