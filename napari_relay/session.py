"""The state of one open image: its model, prediction and corrections. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from napari_relay.annotation import Autosaver, CorrectionStore
from napari_relay.annotation.own_colors import (
    forget_own_colors,
    keep_own_colors,
    recolored,
    with_own_colors,
)
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.relief import matching_bands
from napari_relay.inference import (
    Area,
    PredictionReport,
    PredictionStore,
    PredictOptions,
    TileResult,
    can_show_glass,
    check_fit,
    predict,
)
from napari_relay.inference.fingerprints import model_fingerprint
from napari_relay.sessions.events import SessionEvents
from napari_relay.sessions.image_folder import ImageFolder
from napari_relay.sessions.in_use import ModelInUse, in_colors
from napari_relay.sessions.version_record import descended, numbered
from napari_relay.sessions.versions import ModelVersion
from napari_relay.training import CorrectedImage, FinetuneOptions, FinetuneProgress, finetune
from relay_tokens import (
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    UserError,
    load_checkpoint,
    save_checkpoint,
)

__all__ = ["ModelVersion", "Session", "SessionEvents"]


class Session:
    """One image with its model versions, predictions and corrections on disk.

    Parameters
    ----------
    image
        What is worked on.
    folder
        Where everything is kept; by default a folder of this image in
        :func:`napari_relay.folders.data_folder`, found again at the next opening
        wherever the image was moved to.
    options
        How predictions are run.
    read_only
        Why nothing may be written; empty: it may, unless somebody else holds the folder.
    """

    def __init__(
        self,
        image: PyramidImage,
        folder: Path | None = None,
        options: PredictOptions | None = None,
        read_only: str = "",
    ) -> None:
        self.events = SessionEvents()
        self.image = image
        self.options = options or PredictOptions(skip_glass=can_show_glass(image))
        self.files = ImageFolder(image, folder, read_only)
        self._on_save_error: Callable[[UserError], None] = _raise
        self._base: Checkpoint | None = None
        self._in_use: ModelInUse | None = None
        self._corrections: CorrectionStore | None = None
        self._autosaver: Autosaver | None = None

    @property
    def folder(self) -> Path:
        """Where everything is kept."""
        return self.files.path

    @property
    def read_only(self) -> str:
        """Why nothing may be written, in one sentence; empty: it may."""
        return self.files.read_only

    def pause(self) -> None:
        """Save the corrections, and write nothing more before :meth:`move_to`.

        Raises
        ------
        UserError
            When they cannot be saved; it goes on being tried.
        """
        self._stop_saving()
        if self._corrections is not None and self._corrections.dirty and not self.read_only:
            self._start_saving()
            self._corrections.flush()

    def move_to(self, folder: Path) -> None:
        """Go on in another folder that holds the same, or in this one when it is free now.

        Raises
        ------
        UserError
            When what lies there cannot be opened.
        """
        self.pause()
        self.files.move_to(folder)
        used = self._in_use
        if used is not None:
            self._corrections = self.files.corrections(used.checkpoint.metadata.classes)
            version = self.files.versions(used.version.name).version(used.version.number)
            self._start_saving()
            self._switch(self._made_ready(used.checkpoint, version))

    # --- the model

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The model in use; None before one is chosen."""
        return self._in_use.checkpoint if self._in_use else None

    @property
    def model_image(self) -> PyramidImage | None:
        """The image with the bands that the model in use reads; None before one is chosen."""
        return self._in_use.image if self._in_use else None

    @property
    def version(self) -> ModelVersion | None:
        """Which version of the model is in use."""
        return self._in_use.version if self._in_use else None

    def use_model(
        self, checkpoint: Checkpoint, on_save_error: Callable[[UserError], None] | None = None
    ) -> None:
        """Work with a model from here on, as it was loaded.

        Earlier predictions of the same weights and corrections of the same
        classes are found again.

        Parameters
        ----------
        checkpoint
            The model.
        on_save_error
            Told, in another thread, when corrections cannot be saved.

        Raises
        ------
        UserError
            When the model does not take the image's bands, or the session's
            folder cannot be written; of one that is only looked at, when it
            has no prediction by this model.
        """
        self.files.claim()
        in_use = self._made_ready(checkpoint, ModelVersion(checkpoint.metadata.name, 0, None))
        corrections = self.files.corrections(checkpoint.metadata.classes)
        self._stop_saving()
        self._corrections = corrections
        self._base = checkpoint
        self._on_save_error = on_save_error or _raise
        self._start_saving()
        self._switch(in_use)

    def versions(self) -> list[ModelVersion]:
        """All kept versions of the model in use, oldest first."""
        if self._base is None:
            return []
        return self.files.versions(self._base.metadata.name).all()

    def accept(self, checkpoint: Checkpoint) -> ModelVersion:
        """Keep fine-tuned weights as a new version and use them.

        Its parent is the version that the weights were trained from, whichever is in use.

        Raises
        ------
        UserError
            When they cannot be written; the old version stays in use.
        """
        used = self._require_model()
        self.files.require_writable()
        version = self.files.versions(used.version.name).next()
        kept = descended(checkpoint, version.number)
        save_checkpoint(version.folder or self.folder, kept.model, kept.metadata, kept.base_tiles)
        self._switch(self._made_ready(kept, version))
        return version

    def use_version(self, version: ModelVersion) -> None:
        """Go back, or forward, to one of :meth:`versions`; none is deleted."""
        self._switch(self._version_made_ready(version))

    def prediction_of(self, version: ModelVersion) -> PredictionStore:
        """What one of :meth:`versions` has predicted here."""
        return self._version_made_ready(version).store

    def parent(self) -> ModelVersion | None:
        """The version that the one in use was fine-tuned from; None for version 0."""
        used = self._in_use
        if used is None or used.version.number == 0:
            return None
        number = used.checkpoint.metadata.training.get("parent_version", 0)
        return next((v for v in self.versions() if v.number == number), None)

    def lineage(self) -> tuple[int, ...]:
        """Number of the version in use, of the one it was fine-tuned from, and so on to 0."""
        used = self._in_use
        return self.files.versions(used.version.name).lineage(used.version) if used else (0,)

    def delete_version(self, version: ModelVersion, *, with_children: bool = False) -> None:
        """Delete one of :meth:`versions` and its predictions from disk, for good.

        Raises
        ------
        UserError
            When it is in use, or is the model as it was loaded; when others were
            fine-tuned from it and are to stay; when it cannot be deleted.
        """
        used, base = self._require_model(), self._base or self._require_model().checkpoint
        kept = {used.store.header.model, model_fingerprint(base)}
        self.files.delete_version(version, used.version, with_children, kept)

    # --- the classes

    @property
    def classes(self) -> ClassSchema | None:
        """Names and colours of the classes of the model in use."""
        return self._in_use.checkpoint.metadata.classes if self._in_use else None

    @property
    def has_own_colors(self) -> bool:
        """Whether a class has another colour than the model gave it."""
        return self._base is not None and self.classes != self._base.metadata.classes

    def set_class_color(self, label: int, color: str) -> None:
        """Show a class in another colour, ``#rrggbb``, here and wherever it occurs again.

        Raises
        ------
        UserError
            When the colours cannot be kept; they are used all the same.
        """
        classes = recolored(self._require_model().checkpoint.metadata.classes, label, color)
        self.show_classes(classes)
        keep_own_colors(classes)

    def reset_class_colors(self) -> None:
        """Show the classes in the colours that the model gave them."""
        if self._base is not None:
            forget_own_colors(self._base.metadata.classes)
            self.show_classes(self._base.metadata.classes)

    def show_classes(self, classes: ClassSchema) -> None:
        """Show the same classes in other colours, here alone."""
        used = self._require_model()
        if not self.read_only:
            used.store.recolor(classes)
        self._in_use = replace(used, checkpoint=in_colors(used.checkpoint, classes))
        self.events.colors_changed.emit()

    # --- the prediction

    @property
    def store(self) -> PredictionStore | None:
        """Prediction of the version in use."""
        return self._in_use.store if self._in_use else None

    def predict(
        self,
        windows: Sequence[Area] | None = None,
        priority: Callable[[], Window | None] | None = None,
    ) -> Generator[TileResult, None, PredictionReport]:
        """Predict what is missing in ``windows`` (None: everywhere). For a worker thread."""
        used = self._require_model()
        self.files.require_writable()
        return predict(used.checkpoint, used.image, used.store, windows, self.options, priority)

    def use_options(self, options: PredictOptions) -> None:
        """Predict with other settings from here on.

        Each choice of what is kept has a prediction of its own, found again
        when it is chosen again.

        Raises
        ------
        UserError
            When they do not fit the model, or the session's folder cannot be
            written; the old ones stay in use.
        """
        before, self.options = self.options, options
        try:
            if self._in_use is not None:
                self._switch(self._made_ready(self._in_use.checkpoint, self._in_use.version))
        except UserError:
            self.options = before
            raise

    def apply_tile(self, result: TileResult) -> None:
        """Tell the layers of a finished tile. On the main thread."""
        self.events.tile_predicted.emit(result)

    # --- corrections and fine-tuning

    @property
    def corrections(self) -> CorrectionStore | None:
        """What was painted with the classes of the model in use."""
        return self._corrections

    def corrected(self, metadata: ModelMetadata) -> tuple[PyramidImage, CorrectionStore] | None:
        """What was painted here with the classes of a model, whichever is in use.

        With the image as the model reads it; None where there is nothing, or the
        model does not take the image's bands.
        """
        return self.files.corrected(metadata, self._corrections)

    def finetune(
        self,
        options: FinetuneOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        others: Sequence[CorrectedImage] = (),
        from_base: bool = False,
    ) -> Iterator[FinetuneProgress]:
        """Train on the corrections. For a worker thread; nothing changes until :meth:`accept`.

        Parameters
        ----------
        options, should_stop
            As :func:`~napari_relay.training.finetune` takes them.
        others
            Other images that were corrected for the same model.
        from_base
            Start from the model as it was loaded, and not from the version in use.

        Raises
        ------
        UserError
            When nothing is corrected yet.
        """
        used = self._require_model()
        self.files.require_writable()
        base = self._base if from_base else None
        first = numbered(base or used.checkpoint, 0 if base else used.version.number)
        found = self.corrected(first.metadata)
        images = [*([] if found is None else [CorrectedImage(*found)]), *others]
        if not images:
            raise UserError(
                "Nothing is corrected yet; paint where the prediction is wrong, then fine-tune."
            )
        return finetune(first, images, options, should_stop)

    def close(self) -> None:
        """Save the corrections, stop the saving thread, and let another process write."""
        self._stop_saving()
        self.files.release()

    def _made_ready(self, checkpoint: Checkpoint, version: ModelVersion) -> ModelInUse:
        """All that belongs to a model, if it takes the image's bands or what follows from them."""
        image = matching_bands(self.image, checkpoint.metadata.bands)
        check_fit(image, checkpoint.metadata)
        checkpoint = in_colors(checkpoint, with_own_colors(checkpoint.metadata.classes))
        store = self.files.store(checkpoint, image, self.options)
        if not self.read_only:
            store.recolor(checkpoint.metadata.classes)
        return ModelInUse(checkpoint, version, image, store)

    def _version_made_ready(self, version: ModelVersion) -> ModelInUse:
        base = self._base or self._require_model().checkpoint
        return self._made_ready(
            load_checkpoint(version.folder) if version.folder else base, version
        )

    def _switch(self, in_use: ModelInUse) -> None:
        self._in_use = in_use
        self.events.model_changed.emit()

    def _require_model(self) -> ModelInUse:
        if self._in_use is None:
            raise UserError("No model is in use yet; choose one first.")
        return self._in_use

    def _start_saving(self) -> None:
        if self._corrections is not None and not self.read_only:
            self._autosaver = Autosaver(self._corrections.flush, self._on_save_error)
            self._autosaver.start()

    def _stop_saving(self) -> None:
        if self._autosaver is not None:
            self._autosaver.stop()
            self._autosaver = None


def _raise(error: UserError) -> None:
    raise error
