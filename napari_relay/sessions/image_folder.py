"""The folder that keeps the work on one image, and who may write in it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.own_colors import schema_digest
from napari_relay.images import PyramidImage
from napari_relay.images.relief import matching_bands
from napari_relay.inference import PredictionStore, PredictOptions, check_fit
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.inference.store_folder import store_folder
from napari_relay.sessions.lock import SessionLock
from napari_relay.sessions.project import automatic_folder
from napari_relay.sessions.versions import KeptVersions, ModelVersion
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata, UserError


class ImageFolder:
    """Corrections, predictions and model versions of one image, on disk.

    One process may write; another can look.

    Parameters
    ----------
    image
        What is worked on.
    path
        Where everything is kept; None: in the data folder, found again wherever the
        image was moved to.
    read_only
        Why nothing may be written; empty: it may, unless somebody else holds the folder.
    """

    def __init__(self, image: PyramidImage, path: Path | None, read_only: str = "") -> None:
        self.fingerprint = image_fingerprint(image)
        self.path = path or automatic_folder(image.source.stem, self.fingerprint)
        self.read_only = read_only
        self._image = image
        self._lock = SessionLock(self.path, "image", image.source.name)
        if self.path.exists():
            self.claim()

    # --- who may write

    @property
    def can_be_taken_over(self) -> bool:
        """Whether it is read-only, and what held it has let it go."""
        return bool(self.read_only) and self._lock.is_free

    def claim(self) -> bool:
        """Hold the folder from here on, if nobody else does; else it can only be looked at."""
        if not self.read_only:
            self.read_only = self._lock.acquire()
        return not self.read_only

    def move_to(self, path: Path) -> None:
        """Take another folder, or this one when it is free now."""
        self._lock.release()
        self.path, self.read_only = path, ""
        self._lock = SessionLock(path, "image", self._image.source.name)
        self.claim()

    def release(self) -> None:
        """Let another process write."""
        self._lock.release()

    def require_writable(self) -> None:
        """Refuse what would write.

        Raises
        ------
        UserError
            When it is read-only; it says why.
        """
        if self.read_only:
            raise UserError(f"{self.read_only} It can only be looked at here.")

    # --- what is in it

    def versions(self, name: str) -> KeptVersions:
        """The versions of a model that are kept."""
        return KeptVersions(self.path, name)

    def store(
        self, checkpoint: Checkpoint, image: PyramidImage, options: PredictOptions
    ) -> PredictionStore:
        """Open the prediction by a model, or begin it.

        Raises
        ------
        UserError
            When it cannot be begun, or is of another kind.
        """
        folder = store_folder(self.path / "predictions", image, checkpoint, options)
        if self.read_only and not folder.exists():
            raise UserError(
                f"{self.read_only} {checkpoint.metadata.name} has predicted nothing of "
                f"{image.source.name} there; choose a model that has."
            )
        return PredictionStore.open_or_create(folder, image, checkpoint, options)

    def corrections(self, schema: ClassSchema) -> CorrectionStore | None:
        """Open what was painted with these classes, or begin it.

        Returns
        -------
        CorrectionStore or None
            None when there is nothing, and nothing may be begun.

        Raises
        ------
        UserError
            When it cannot be begun, or is of another image.
        """
        folder, shape = self.corrections_folder(schema), self._image.shape
        if not self.read_only:
            return CorrectionStore.open_or_create(folder, shape, schema, self.fingerprint)
        if not folder.exists():
            return None
        return CorrectionStore.open(folder, self.fingerprint, read_only=True)

    def corrections_folder(self, schema: ClassSchema) -> Path:
        """Corrections are kept for each list of classes: their labels mean those."""
        return self.path / "corrections" / schema_digest(schema)

    def corrected(
        self, metadata: ModelMetadata, opened: CorrectionStore | None = None
    ) -> tuple[PyramidImage, CorrectionStore] | None:
        """What was painted with the classes of a model.

        Parameters
        ----------
        metadata
            Of the model.
        opened
            Corrections that are open already; taken if they are the ones.

        Returns
        -------
        tuple or None
            The image with the bands that the model reads, and the corrections; None
            when there are none, or the model does not take the image's bands.
        """
        folder, store = self.corrections_folder(metadata.classes), opened
        try:
            image = matching_bands(self._image, metadata.bands)
            check_fit(image, metadata)
            if store is None or store.folder != folder:
                store = CorrectionStore.open(folder, self.fingerprint, read_only=True)
        except UserError:
            return None
        return None if store.is_empty else (image, store)

    def delete_version(
        self,
        version: ModelVersion,
        in_use: ModelVersion,
        with_children: bool,
        kept: Collection[str],
    ) -> None:
        """Delete a version and its predictions from disk, for good.

        Parameters
        ----------
        version
            Which.
        in_use
            The one that stays in any case.
        with_children
            Whether those that were fine-tuned from it go too.
        kept
            Fingerprints of weights whose predictions stay.

        Raises
        ------
        UserError
            When it is in use, or the model as it was loaded; when others were fine-tuned
            from it and stay; when it cannot be deleted.
        """
        self.require_writable()
        versions = self.versions(version.name)
        children = versions.children(version)
        if in_use in (version, *children):
            raise UserError(f"{in_use.label} is in use; go to a version that stays first.")
        if children and not with_children:
            numbers = ", ".join(str(child.number) for child in children)
            raise UserError(
                f"{version.label} stays, since version {numbers} was fine-tuned from it; "
                "delete both together."
            )
        for one in (*reversed(children), version):
            versions.delete(one, kept)
