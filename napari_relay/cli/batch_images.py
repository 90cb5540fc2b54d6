"""The images of a batch, each with a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_relay.images.ome_zarr import metadata_file
from napari_relay.images.opening import ZARR_SUFFIX, image_suffixes
from napari_relay.inference.header import is_prediction
from napari_relay.sessions import is_session
from relay_tokens import UserError

_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class BatchImage:
    """An image of a batch."""

    name: str
    """What its folder is called; no other image of the batch has it."""
    path: Path
    """Where it is."""


def find_images(asked: Sequence[Path], output: Path) -> list[BatchImage]:
    """Images in folders, by patterns and by name, in the order of their paths.

    Parameters
    ----------
    asked
        Folders, which are searched with the folders in them; patterns such as
        ``slides/*.svs``; image files. What is named by itself is taken whatever its suffix.
    output
        The batch's own folder, in which nothing is looked for.

    Raises
    ------
    UserError
        When a path is not there, or there is no image.
    """
    found: dict[Path, None] = {}
    for path in asked:
        for one in _matching(path):
            found.update(dict.fromkeys(_in(one, output.absolute())))
    if not found:
        raise UserError(
            f"There is no image in {', '.join(map(str, asked))}; name a folder of images, or a "
            "pattern in quotes such as 'slides/*.svs'."
        )
    paths = sorted(found)
    return [BatchImage(name, path) for name, path in zip(_names(paths), paths, strict=True)]


def _matching(path: Path) -> list[Path]:
    """A path, or what a pattern stands for."""
    if path.exists():
        return [path]
    if not _MAGIC & set(str(path)):
        raise UserError(f"{path} does not exist; check the path.")
    absolute = path.absolute()
    pattern = str(absolute.relative_to(absolute.anchor))
    return sorted(Path(absolute.anchor).glob(pattern))


def _in(path: Path, output: Path) -> Iterator[Path]:
    """An image, or those in a folder."""
    path = path.absolute()
    if not path.is_dir() or _is_image_folder(path):
        yield path
        return
    for one in sorted(path.iterdir()):
        if one == output or one.name.startswith("."):
            continue
        if one.is_dir():
            if not (is_prediction(one) or is_session(one)):
                yield from _in(one, output)
        elif one.suffix.lower() in image_suffixes():
            yield one


def _is_image_folder(path: Path) -> bool:
    return path.suffix.lower() == ZARR_SUFFIX and metadata_file(path) is not None


def _names(paths: Sequence[Path]) -> list[str]:
    """The file name without its suffix, with it or with a number: the first that is alone."""
    names: list[str] = []
    stems = [path.stem for path in paths]
    full = [path.name for path in paths]
    for number, path in enumerate(paths):
        if stems.count(path.stem) == 1:
            names.append(path.stem)
        elif full.count(path.name) == 1:
            names.append(path.name.replace(".", "-"))
        else:
            names.append(f"{path.parent.name}-{path.name.replace('.', '-')}")
        if names.count(names[-1]) > 1:
            names[-1] = f"{names[-1]}-{number + 1}"
    return names
