"""What was painted over the images of a session, for a training on all of them."""

from __future__ import annotations

from collections.abc import Iterator

from napari_relay.annotation import CorrectionStore
from napari_relay.images import PyramidImage, open_image, open_stack
from napari_relay.images.known_pixel_sizes import with_known_pixel_size
from napari_relay.sessions.image_folder import ImageFolder
from napari_relay.sessions.manifest import ImageEntry
from napari_relay.sessions.project import Project
from relay_tokens import ModelMetadata, UserError


def corrected_images(
    project: Project, metadata: ModelMetadata
) -> Iterator[tuple[PyramidImage, CorrectionStore]]:
    """Every image of a session with corrections in the classes of a model.

    Nothing is written: another process may be working with the session.

    Parameters
    ----------
    project
        The session.
    metadata
        Of the model.

    Yields
    ------
    tuple
        The image with the bands that the model reads, and its corrections.

    Raises
    ------
    UserError
        When an image is not found, or another one lies in its place.
    """
    for entry in project.manifest.images:
        folder = ImageFolder(open_entry(project, entry), project.image_folder(entry), "Looked at.")
        check_same(entry, folder.fingerprint)
        found = folder.corrected(metadata)
        if found is not None:
            yield found


def open_entry(project: Project, entry: ImageEntry) -> PyramidImage:
    """Open an image of a session.

    Raises
    ------
    UserError
        When it is not found, or cannot be opened.
    """
    paths = project.image_files(entry)
    if paths is None:
        raise UserError(missing_sentence(project, entry))
    return with_known_pixel_size(open_image(paths[0])) if len(paths) == 1 else open_stack(paths)


def check_same(entry: ImageEntry, fingerprint: str) -> None:
    """Refuse another image than the one that belongs to a session.

    Raises
    ------
    UserError
        When its fingerprint is another one.
    """
    if entry.image.fingerprint != fingerprint:
        raise UserError(
            f"This {entry.name} is another image than the one of the session: its pixels differ. "
            "Choose the file that was worked on; its corrections wait for it."
        )


def missing_sentence(project: Project, entry: ImageEntry) -> str:
    """Why an image of a session is not found, and what to do."""
    for file in entry.image.files:
        if file.find(project.folder) is None:
            there = next((p for p in file.candidates(project.folder) if p.exists()), None)
            if there is not None:
                return (
                    f"{there} is another file than the one of the session: it has another size. "
                    "Choose where the one that was worked on is now."
                )
            return f"{file.absolute} is not there any more; choose where it is now."
    return f"The session does not say where {entry.name} lies; choose where it is."
