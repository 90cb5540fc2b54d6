"""Models that come with the package."""

from __future__ import annotations

from pathlib import Path

from relay_tokens.checkpoint import CONFIG, Checkpoint, load_checkpoint
from relay_tokens.errors import UserError
from relay_tokens.interchange.package import is_package, read_package

_FOLDER = Path(__file__).parent


def zoo_names() -> tuple[str, ...]:
    """Names of the models that come with the package, in alphabetical order."""
    return tuple(sorted(p.parent.name for p in _FOLDER.glob(f"*/{CONFIG}")))


def zoo_folder(name: str) -> Path:
    """Folder of one of :func:`zoo_names`."""
    return _FOLDER / name


def load_model(name_or_path: str | Path) -> Checkpoint:
    """Load a model of the zoo by name, or any model by its folder or its package.

    Parameters
    ----------
    name_or_path
        One of :func:`zoo_names`; the folder of a model; or a BioImage.IO package
        (``.zip``) that was exported from one.

    Returns
    -------
    Checkpoint
        The model, on the CPU and in eval mode, with its metadata.

    Raises
    ------
    UserError
        When it is none of these, or its files are damaged.
    """
    if str(name_or_path) in zoo_names():
        return load_checkpoint(zoo_folder(str(name_or_path)))
    folder = Path(name_or_path)
    if is_package(folder):
        return read_package(folder)
    if not folder.is_dir():
        raise UserError(
            f"There is no model {str(name_or_path)!r}: name a folder, a .bioimageio.zip "
            f"or one of {', '.join(zoo_names()) or 'the zoo, which is empty'}."
        )
    return load_checkpoint(folder)
