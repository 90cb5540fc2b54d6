"""The state of one open image: its model, prediction and corrections. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from psygnal import Signal, SignalGroup

from napari_relay.annotation import Autosaver, CorrectionStore
from napari_relay.annotation.own_colors import (
    forget_own_colors,
    keep_own_colors,
    recolored,
    schema_digest,
    with_own_colors,
)
from napari_relay.folders import data_folder
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
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.inference.store_folder import store_folder
from napari_relay.training import CorrectedImage, FinetuneOptions, FinetuneProgress, finetune
from relay_tokens import Checkpoint, ClassSchema, UserError, load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class ModelVersion:
    """One state of a model: as it was loaded, or after a fine-tuning."""

    name: str
    """Name of the model it descends from."""
    number: int
    """0: as loaded; then one more for each accepted fine-tuning."""
    folder: Path | None
    """Where it is saved; None for version 0, which stays where it was."""

    @property
    def label(self) -> str:
        """What a person reads: ``tissue-vit-tiny`` or ``tissue-vit-tiny · version 2``."""
        return f"{self.name} · version {self.number}" if self.number else self.name


@dataclass(frozen=True)
class _InUse:
    """A model with what belongs to it; they change together or not at all."""

    checkpoint: Checkpoint
    """The weights, and what must be known of them."""
    version: ModelVersion
    """Which state of the model they are."""
    image: PyramidImage
    """The image with the bands that the model reads."""
    store: PredictionStore
    """What they have predicted."""


class SessionEvents(SignalGroup):
    """What layers and panels follow. All are emitted on the main thread."""

    model_changed = Signal()
    """Another model or version is in use; the prediction and corrections may be other ones."""
    colors_changed = Signal()
    """Classes have other colours."""
    tile_predicted = Signal(TileResult)
    """A tile is on disk and can be shown."""


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
    """

    def __init__(
        self,
        image: PyramidImage,
        folder: Path | None = None,
        options: PredictOptions | None = None,
    ) -> None:
        self.events = SessionEvents()
        self.image = image
        self.options = options or PredictOptions(skip_glass=can_show_glass(image))
        self._fingerprint = image_fingerprint(image)
        named = f"{image.source.stem}-{self._fingerprint}"
        self.folder = folder or data_folder() / "sessions" / named
        self._base: Checkpoint | None = None
        self._in_use: _InUse | None = None
        self._corrections: CorrectionStore | None = None
        self._autosaver: Autosaver | None = None

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
            folder cannot be written.
        """
        in_use = self._made_ready(checkpoint, ModelVersion(checkpoint.metadata.name, 0, None))
        corrections = self._open_corrections(checkpoint)
        self._stop_saving()
        self._corrections = corrections
        self._base = checkpoint
        self._autosaver = Autosaver(corrections.flush, on_save_error or _raise)
        self._autosaver.start()
        self._switch(in_use)

    def versions(self) -> list[ModelVersion]:
        """All kept versions of the model in use, oldest first."""
        if self._base is None:
            return []
        name = self._base.metadata.name
        saved = sorted(
            int(p.name) for p in self._versions_folder(name).glob("*") if p.name.isdigit()
        )
        kept = [ModelVersion(name, n, self._versions_folder(name) / str(n)) for n in saved]
        return [ModelVersion(name, 0, None), *kept]

    def accept(self, checkpoint: Checkpoint) -> ModelVersion:
        """Keep fine-tuned weights as a new version and use them.

        Raises
        ------
        UserError
            When they cannot be written; the old version stays in use.
        """
        used = self._require_model()
        name = used.version.name
        number = self.versions()[-1].number + 1
        version = ModelVersion(name, number, self._versions_folder(name) / str(number))
        record = {**checkpoint.metadata.training, "parent_version": used.version.number}
        kept = replace(checkpoint, metadata=replace(checkpoint.metadata, training=record))
        folder = version.folder or self.folder
        save_checkpoint(folder, kept.model, kept.metadata, kept.base_tiles)
        self._switch(self._made_ready(kept, version))
        return version

    def use_version(self, version: ModelVersion) -> None:
        """Go back, or forward, to one of :meth:`versions`; none is deleted."""
        checkpoint = load_checkpoint(version.folder) if version.folder else self._base
        if checkpoint is None:
            raise UserError("No model is in use yet; choose one first.")
        self._switch(self._made_ready(checkpoint, version))

    def parent(self) -> ModelVersion | None:
        """The version that the one in use was fine-tuned from; None for version 0."""
        used = self._in_use
        if used is None or used.version.number == 0:
            return None
        number = used.checkpoint.metadata.training.get("parent_version", 0)
        return next((v for v in self.versions() if v.number == number), None)

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
        self._use_classes(classes)
        keep_own_colors(classes)

    def reset_class_colors(self) -> None:
        """Show the classes in the colours that the model gave them."""
        if self._base is not None:
            forget_own_colors(self._base.metadata.classes)
            self._use_classes(self._base.metadata.classes)

    def _use_classes(self, classes: ClassSchema) -> None:
        used = self._require_model()
        used.store.recolor(classes)
        self._in_use = replace(used, checkpoint=_in_colors(used.checkpoint, classes))
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

    def finetune(
        self,
        options: FinetuneOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[FinetuneProgress]:
        """Train on the corrections. For a worker thread; nothing changes until :meth:`accept`.

        Parameters
        ----------
        options
            How long and how.
        should_stop
            Asked after each step; the best weights so far are the result then.

        Raises
        ------
        UserError
            When nothing is corrected yet.
        """
        used, corrections = self._require_model(), self._corrections
        checkpoint = used.checkpoint
        if corrections is None or corrections.is_empty:
            raise UserError(
                "Nothing is corrected yet; paint where the prediction is wrong, then fine-tune."
            )
        corrections.flush()
        windows = corrections.corrected_windows(checkpoint.model.config.crop_size)
        corrected = CorrectedImage(used.image, corrections, windows)
        return finetune(checkpoint, corrected, options, should_stop)

    def close(self) -> None:
        """Save the corrections and stop the saving thread."""
        self._stop_saving()

    # --- within

    def _made_ready(self, checkpoint: Checkpoint, version: ModelVersion) -> _InUse:
        """All that belongs to a model, if it takes the image's bands or what follows from them."""
        image = matching_bands(self.image, checkpoint.metadata.bands)
        check_fit(image, checkpoint.metadata)
        checkpoint = _in_colors(checkpoint, with_own_colors(checkpoint.metadata.classes))
        store = self._open_store(checkpoint, image)
        store.recolor(checkpoint.metadata.classes)
        return _InUse(checkpoint, version, image, store)

    def _switch(self, in_use: _InUse) -> None:
        self._in_use = in_use
        self.events.model_changed.emit()

    def _require_model(self) -> _InUse:
        if self._in_use is None:
            raise UserError("No model is in use yet; choose one first.")
        return self._in_use

    def _versions_folder(self, name: str) -> Path:
        return self.folder / "models" / name

    def _open_store(self, checkpoint: Checkpoint, image: PyramidImage) -> PredictionStore:
        parent = self.folder / "predictions"
        folder = store_folder(parent, image, checkpoint, self.options)
        return PredictionStore.open_or_create(folder, image, checkpoint, self.options)

    def _open_corrections(self, checkpoint: Checkpoint) -> CorrectionStore:
        """Corrections are kept for each list of classes: their labels mean those."""
        schema = checkpoint.metadata.classes
        folder = self.folder / "corrections" / schema_digest(schema)
        return CorrectionStore.open_or_create(folder, self.image.shape, schema, self._fingerprint)

    def _stop_saving(self) -> None:
        if self._autosaver is not None:
            self._autosaver.stop()
            self._autosaver = None


def _in_colors(checkpoint: Checkpoint, classes: ClassSchema) -> Checkpoint:
    if classes == checkpoint.metadata.classes:
        return checkpoint
    return replace(checkpoint, metadata=replace(checkpoint.metadata, classes=classes))


def _raise(error: UserError) -> None:
    raise error
