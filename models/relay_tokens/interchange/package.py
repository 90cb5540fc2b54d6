"""BioImage.IO packages that hold a model of this package, read without their library.

Beside what every program reads of a package (``bioimageio.yaml``, the ONNX weights), such a
package holds the files of a model's folder; they alone are read back.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay_tokens.checkpoint import BASE_TILES, CONFIG, WEIGHTS, Checkpoint, load_checkpoint
from relay_tokens.errors import UserError

PACKAGE_SUFFIX = ".zip"
"""How the name of a package ends, often ``.bioimageio.zip``."""
CARD = "README.md"
"""A model's card, in its folder and in its package."""
_DESCRIPTIONS = ("bioimageio.yaml", "rdf.yaml")
_NEEDED = (CONFIG, WEIGHTS)
_OPTIONAL = (BASE_TILES, CARD)


def is_package(path: str | Path) -> bool:
    """Whether a path is that of a package, by its name."""
    path = Path(path)
    return path.suffix.lower() == PACKAGE_SUFFIX and not path.is_dir()


def read_package(path: str | Path) -> Checkpoint:
    """Load the model of a package, the very weights that were exported.

    :attr:`Checkpoint.base_tiles`, where the package has some, last as long as the process.

    Raises
    ------
    UserError
        When it cannot be read, is damaged, or holds no model of this package.
    """
    folder = Path(tempfile.mkdtemp(prefix="relay-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        unpack_package(path, folder)
        checkpoint = load_checkpoint(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / WEIGHTS).unlink()
    return checkpoint


def unpack_package(path: str | Path, folder: Path) -> None:
    """Write the files of a package's model into a folder that is there.

    Raises
    ------
    UserError
        As :func:`read_package`.
    """
    path = Path(path)
    with _opened(path) as package:
        names = set(package.namelist())
        _require_own(path, names)
        for name in (*_NEEDED, *_OPTIONAL):
            if name in names:
                with package.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as package:
            yield package
    except FileNotFoundError as error:
        raise UserError(f"There is no model package {path}; check the path.") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UserError(
            f"{path} is damaged or no zip file ({error}); copy or export it again."
        ) from error
    except OSError as error:
        raise UserError(
            f"The model package {path} cannot be read ({error.strerror or error}); "
            "check its permissions and the room on the disk."
        ) from error


def _require_own(path: Path, names: set[str]) -> None:
    if names.issuperset(_NEEDED):
        return
    if names.isdisjoint(_DESCRIPTIONS):
        raise UserError(f"{path} is no BioImage.IO package; name one that napari-relay exported.")
    raise UserError(
        f"{path} is a BioImage.IO package of another kind of model; only those that napari-relay "
        f"exported, with {' and '.join(_NEEDED)} in them, can be read."
    )
