"""Reading sessions of this version of napari-relay and of earlier ones.

Format 0
    No ``session.json``: the folder of one image, ``<stem>-<fingerprint>``, that versions
    before sessions kept by themselves. It does not say where its image lies.
Format 1
    ``session.json`` beside a folder for each image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_relay.images.recent_images import recent_images
from napari_relay.sessions.manifest import FORMAT, Manifest, from_document, to_json
from napari_relay.sessions.references import FileReference
from napari_relay.whole_file import write_whole
from relay_tokens import UserError

SUFFIX = ".relay"
"""What the name of a session's folder ends with."""
MANIFEST = "session.json"
"""The file in it that holds the :class:`Manifest`."""

_CONTENTS = ("corrections", "predictions", "models")
_OLD_NAME = re.compile(r"(?P<stem>.+)-(?P<fingerprint>[0-9a-f]{16})")

Document = Mapping[str, Any]


def is_session(path: Path) -> bool:
    """Whether a path is a session's folder, of any format."""
    if not path.is_dir():
        return False
    named = path.suffix.lower() == SUFFIX
    return named or (path / MANIFEST).is_file() or _is_format_0(path)


def read_manifest(folder: Path) -> Manifest:
    """What a session remembers, brought to the present format; nothing is written.

    Raises
    ------
    UserError
        When there is no session, it is damaged, or a newer version wrote it.
    """
    document = _read(folder)
    version = document.get("format")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _damaged(folder, f"its format is {version!r}")
    if version > FORMAT:
        raise UserError(
            f"{folder} was written by a newer napari-relay (format {version}, this one reads up "
            f"to {FORMAT}); update napari-relay to open it."
        )
    try:
        while version < FORMAT:
            document = MIGRATIONS[version](document)
            version += 1
        return from_document(document)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``session.json`` in one step; the folder is made if it is not there.

    Raises
    ------
    UserError
        When it cannot be written; what was there before stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / MANIFEST, to_json(manifest))
    except OSError as error:
        raise UserError(
            f"The session {folder} cannot be saved ({error.strerror or error}); make room there "
            "or change its permissions: until then it is kept in memory and tried again."
        ) from error


def _read(folder: Path) -> Document:
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if _is_format_0(folder):
            return _format_0(folder)
        raise UserError(
            f"{folder} holds no session ({MANIFEST} is missing); choose a folder that ends with "
            f"{SUFFIX}."
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}); change its permissions or copy "
            "the session again."
        ) from error
    except ValueError as error:
        raise _damaged(folder, error) from error
    if not isinstance(document, dict):
        raise _damaged(folder, "it is no table")
    return document


def _damaged(folder: Path, why: object) -> UserError:
    return UserError(
        f"{folder / MANIFEST} is damaged ({why}); copy the session again, or open its images: "
        "what was painted lies beside it and is whole."
    )


def _is_format_0(folder: Path) -> bool:
    found = any((folder / name).is_dir() for name in _CONTENTS)
    return found and _OLD_NAME.fullmatch(folder.name) is not None


def _format_0(folder: Path) -> Document:
    """All that a folder of format 0 tells: which image it was, by its name."""
    match = _OLD_NAME.fullmatch(folder.name)
    assert match is not None
    return {
        "format": 0,
        "stem": match["stem"],
        "fingerprint": match["fingerprint"],
        "folder": str(folder),
    }


def _from_0(document: Document) -> Document:
    """One image, whose files are guessed from the images that were opened last."""
    folder, stem = Path(document["folder"]), document["stem"]
    known = next((i.paths for i in recent_images() if i.paths[0].stem == stem), ())
    files = [FileReference.of(path, folder, sized=False) for path in known]
    image = {"files": [vars(file) for file in files], "fingerprint": document["fingerprint"]}
    entry = {"name": known[0].name if known else stem, "folder": ".", "image": image}
    return {"format": 1, "images": [entry]}


MIGRATIONS: dict[int, Callable[[Document], Document]] = {0: _from_0}
"""Of each earlier format, what makes a document of the next one of it."""
