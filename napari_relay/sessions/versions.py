"""The versions of a model that fine-tuning on an image made."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from napari_relay.inference.fingerprints import model_fingerprint
from relay_tokens import UserError, load_checkpoint, load_metadata

_CONFIG = "config.json"
_DELETED = ".deleted"


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


class KeptVersions:
    """What lies on disk of one model's versions.

    Parameters
    ----------
    folder
        Folder of the work on an image.
    name
        Name of the model.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._predictions = folder / "predictions"
        self._folder = folder / "models" / name

    def all(self) -> list[ModelVersion]:
        """Version 0 and all that are kept, oldest first."""
        saved = sorted(
            int(path.name)
            for path in self._folder.glob("*")
            if path.name.isdigit() and (path / _CONFIG).exists()
        )
        return [ModelVersion(self._name, 0, None), *map(self.version, saved)]

    def version(self, number: int) -> ModelVersion:
        """A version by its number, whether it is there or not."""
        return ModelVersion(self._name, number, self._folder / str(number) if number else None)

    def next(self) -> ModelVersion:
        """What comes next; the number of a deleted version is not given again."""
        used = [
            int(path.name.removesuffix(_DELETED))
            for path in self._folder.glob("*")
            if path.name.removesuffix(_DELETED).isdigit()
        ]
        return self.version(max(used, default=0) + 1)

    def parent(self, version: ModelVersion) -> int | None:
        """Number of the version it was fine-tuned from; None for version 0, or not known."""
        if version.folder is None:
            return None
        try:
            return int(load_metadata(version.folder).training.get("parent_version", 0))
        except (UserError, TypeError, ValueError):
            return None

    def lineage(self, version: ModelVersion) -> tuple[int, ...]:
        """A version, the one it was fine-tuned from, and so on to version 0."""
        found = [version.number]
        while (number := self.parent(self.version(found[-1]))) is not None and number not in found:
            found.append(number)
        return tuple(found)

    def children(self, version: ModelVersion) -> list[ModelVersion]:
        """The versions that were fine-tuned from one, and those fine-tuned from them."""
        return [v for v in self.all() if v != version and version.number in self.lineage(v)]

    def delete(self, version: ModelVersion, kept: Collection[str] = ()) -> None:
        """Delete a version with its predictions.

        Parameters
        ----------
        version
            Which.
        kept
            Fingerprints of weights whose predictions stay.

        Raises
        ------
        UserError
            When it cannot be deleted.
        """
        if version.folder is None:
            raise UserError(f"{version.label} is the model as it was loaded; it stays.")
        predictions = self._predictions_of(version, kept)
        try:
            gone = version.folder.with_name(version.folder.name + _DELETED)
            version.folder.replace(gone)
            for path in gone.iterdir():
                path.unlink()
        except OSError as error:
            raise UserError(
                f"{version.folder} cannot be deleted ({error.strerror or error}); change its "
                "permissions or delete it by hand."
            ) from error
        for folder in predictions:
            shutil.rmtree(folder, ignore_errors=True)

    def _predictions_of(self, version: ModelVersion, kept: Collection[str]) -> list[Path]:
        """Folders of predictions by these weights, unless another version has the same ones."""
        mine = _fingerprint(version)
        others = {*kept, *(_fingerprint(other) for other in self.all() if other != version)}
        found = self._predictions.glob(f"{mine}-*") if mine and mine not in others else ()
        return list(found)


def _fingerprint(version: ModelVersion) -> str | None:
    """Of its weights; None where they are not kept here or cannot be read."""
    if version.folder is None:
        return None
    try:
        return model_fingerprint(load_checkpoint(version.folder))
    except UserError:
        return None
