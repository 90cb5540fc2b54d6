"""The predictions that a command is about: a store, or all of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_relay.annotation import CorrectionStore
from napari_relay.cli.progress import open_with_bar
from napari_relay.images import PyramidImage
from napari_relay.images.known_pixel_sizes import with_known_pixel_size
from napari_relay.images.recent_images import recent_images
from napari_relay.images.relief import matching_bands
from napari_relay.inference import PredictionStore
from napari_relay.inference.fingerprints import image_fingerprint, model_fingerprint
from napari_relay.inference.header import StoreHeader
from napari_relay.sessions import (
    ImageEntry,
    KeptVersions,
    Project,
    SessionLock,
    is_session,
    read_manifest,
)
from napari_relay.sessions.corrected_images import open_entry
from napari_relay.sessions.image_folder import ImageFolder
from relay_tokens import (
    Checkpoint,
    ModelMetadata,
    UserError,
    load_checkpoint,
    load_metadata,
    load_model,
    zoo_folder,
    zoo_names,
)

_LOOKED_AT = "It is looked at."


@dataclass(frozen=True)
class PredictionSource:
    """A prediction with what belongs to it."""

    store: PredictionStore
    """What was predicted."""
    image: PyramidImage
    """Of which image."""
    checkpoint: Checkpoint | None
    """By which model; None: it was not found."""
    corrections: CorrectionStore | None = None
    """What was painted over the image; None: nothing."""

    @property
    def stem(self) -> str:
        """What files about it are called."""
        return self.image.source.stem


def open_predictions(
    path: Path, images: Sequence[Path], model: str | None
) -> list[PredictionSource]:
    """Open a prediction store, or the predictions of a session.

    Parameters
    ----------
    path
        A store (``.zarr``) or a session (``.relay``).
    images
        Of a store the files of its image; none: they are looked for in the session that
        the store belongs to, beside it, and among the images opened last. Of a session
        the images that are wanted; none: all.
    model
        Name or folder of the model that predicted; None: it is looked for in the session
        and in the zoo.

    Raises
    ------
    UserError
        When there is no prediction, or its image is not found or is another one.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; check the path.")
    if is_session(path):
        return list(_of_session(path, images, model))
    store = PredictionStore.open(path)
    checkpoint = _model_of(store.header, model)
    found = _image_of(store, path, images)
    _check_image(found, store, path, checkpoint)
    return [PredictionSource(store, found, checkpoint)]


# --- a store by itself


def _image_of(store: PredictionStore, path: Path, images: Sequence[Path]) -> PyramidImage:
    """Open the image that a store was predicted of."""
    if images:
        return with_known_pixel_size(open_with_bar(*images))
    for project in _sessions_around(path):
        for entry in project.manifest.images:
            if project.image_folder(entry) in path.absolute().parents:
                return open_entry(project, entry)
    name = store.header.image_name
    beside = [path.absolute().parent / name, path.absolute().parent.parent / name]
    recent = [known.paths for known in recent_images() if known.paths[0].name == name]
    for paths in [*((one,) for one in beside), *recent]:
        if all(one.exists() for one in paths):
            return with_known_pixel_size(open_with_bar(*paths))
    raise UserError(f"{path} was predicted from {name}, which is not beside it; name its path too.")


def _sessions_around(path: Path) -> Iterator[Project]:
    for folder in path.absolute().parents:
        if (folder / "session.json").exists():
            yield _looked_at(folder)


def _looked_at(folder: Path) -> Project:
    """A session that is not held: another process may be working with it."""
    folder = folder.absolute()
    lock = SessionLock(folder, "session", folder.name)
    return Project(folder, read_manifest(folder), lock, _LOOKED_AT)


def _model_of(header: StoreHeader, model: str | None) -> Checkpoint | None:
    """The model that a store was predicted by, if it is given or in the zoo."""
    if model is not None:
        checkpoint = load_model(model)
        if model_fingerprint(checkpoint) != header.model:
            raise UserError(
                f"The prediction was made by other weights of {header.model_name} than those of "
                f"{model}; name the model that predicted, or leave --model out."
            )
        return checkpoint
    if header.model_name not in zoo_names():
        return None
    checkpoint = load_model(header.model_name)
    return checkpoint if model_fingerprint(checkpoint) == header.model else None


def _check_image(
    image: PyramidImage, store: PredictionStore, path: Path, checkpoint: Checkpoint | None
) -> None:
    """Refuse another image than the one that was predicted."""
    same_size = image.shape == store.shape
    known = _known_models(store.header, checkpoint)
    if same_size and (not known or _is_same(image, store.header.image, known)):
        return
    raise UserError(
        f"{path} was predicted from another image ({store.header.image_name}) than "
        f"{image.source}; name the one that was predicted."
    )


def _known_models(header: StoreHeader, checkpoint: Checkpoint | None) -> list[ModelMetadata]:
    """Those whose bands may be the ones that were predicted from; none: nothing is known."""
    if checkpoint is not None:
        return [checkpoint.metadata]
    names = [name for name in zoo_names() if name == header.model_name]
    return [load_metadata(zoo_folder(name)) for name in names]


def _is_same(image: PyramidImage, fingerprint: str, models: Sequence[ModelMetadata]) -> bool:
    if image_fingerprint(image) == fingerprint:
        return True
    for metadata in models:
        try:
            matched = matching_bands(image, metadata.bands)
        except UserError:
            continue
        if image_fingerprint(matched) == fingerprint:
            return True
    return False


# --- a session


def _of_session(
    path: Path, images: Sequence[Path], model: str | None
) -> Iterator[PredictionSource]:
    project = _looked_at(path)
    entries = project.manifest.images
    if images:
        names = {image.name for image in images}
        entries = tuple(entry for entry in entries if entry.name in names)
    found = [entry for entry in entries if _stores(project, entry)]
    if not found:
        asked = f" of {', '.join(image.name for image in images)}" if images else ""
        raise UserError(f"{path} holds no prediction{asked}; predict in the app first.")
    for entry in found:
        yield _of_entry(project, entry, model)


def _of_entry(project: Project, entry: ImageEntry, model: str | None) -> PredictionSource:
    folder = project.image_folder(entry)
    checkpoint = _model_in_use(project, entry, model)
    store = PredictionStore.open(_chosen_store(project, entry, checkpoint))
    if checkpoint is not None and model_fingerprint(checkpoint) != store.header.model:
        checkpoint = None
    image = open_entry(project, entry)
    files = ImageFolder(image, folder, _LOOKED_AT)
    corrections = files.corrections(store.classes)
    return PredictionSource(store, image, checkpoint, corrections)


def _stores(project: Project, entry: ImageEntry) -> list[Path]:
    predictions = project.image_folder(entry) / "predictions"
    return sorted(path.parent for path in predictions.glob("*/zarr.json"))


def _chosen_store(project: Project, entry: ImageEntry, checkpoint: Checkpoint | None) -> Path:
    """The prediction by the model in use; of several settings the one that is most complete."""
    stores = _stores(project, entry)
    wanted = model_fingerprint(checkpoint) if checkpoint is not None else None
    if wanted is None and entry.model is not None and entry.model.version == 0:
        wanted = entry.model.digest
    by_model = [path for path in stores if wanted and path.name.startswith(wanted)]
    return max(by_model or stores, key=lambda path: int(PredictionStore.open(path).finished.sum()))


def _model_in_use(project: Project, entry: ImageEntry, model: str | None) -> Checkpoint | None:
    """The version that a session works with; None where it is not found."""
    used = entry.model
    if model is not None:
        return load_model(model)
    if used is None:
        return None
    try:
        kept = KeptVersions(project.image_folder(entry), used.name).version(used.version)
        if kept.folder is not None:
            return load_checkpoint(kept.folder)
        found = used.folder.find(project.folder) if used.folder is not None else None
        return load_model(str(found) if found is not None else used.name)
    except UserError:
        return None
