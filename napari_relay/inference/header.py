"""What a prediction store says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import zarr

from napari_relay.geometry import TileGrid
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.attention import AttentionLayout
from napari_relay.inference.fingerprints import image_fingerprint, model_fingerprint
from napari_relay.inference.ome_metadata import Placement
from napari_relay.inference.options import PredictOptions, tile_grid
from relay_tokens import Checkpoint, ClassSchema, SegmentationClass, UserError

FORMAT_VERSION = 2
STORE_ATTRIBUTE = "napari_relay"
"""Where in a store's attributes its header is."""


@dataclass(frozen=True)
class StoreHeader:
    """Of which image, by which model and how a store was predicted."""

    image: str
    """Fingerprint of the image."""
    image_name: str
    """File name of the image."""
    model: str
    """Fingerprint of the model."""
    model_name: str
    """Name of the model."""
    classes: ClassSchema
    """What each label means."""
    grid: TileGrid
    """How the image is cut into tiles."""
    attention: AttentionLayout | None
    """Which attention is kept; None: none."""
    disagreement: bool
    """Whether the model has a local and a global branch to compare."""
    probabilities: bool
    """Whether the probability of every class is kept."""
    pixel_size: tuple[float, float] | None
    """``(row, col)`` size of a pixel of the image in :attr:`unit`; None: unknown."""
    unit: str | None
    """``"um"``, ``"m"``, ``"degree"`` or None."""

    @classmethod
    def of(
        cls, image: PyramidImage, checkpoint: Checkpoint, options: PredictOptions
    ) -> StoreHeader:
        """Header of a store for these.

        Raises
        ------
        UserError
            When halo and model do not fit.
        """
        grid = tile_grid(image, checkpoint.model, options)
        return cls(
            image_fingerprint(image),
            image.source.name,
            model_fingerprint(checkpoint),
            checkpoint.metadata.name,
            checkpoint.metadata.classes,
            grid,
            AttentionLayout.of(checkpoint.model, grid, options),
            not checkpoint.model.config.is_single_scale,
            options.probabilities,
            image.pixel_size,
            image.unit,
        )

    @property
    def placement(self) -> Placement:
        """Where the arrays lie."""
        return Placement((self.grid.height, self.grid.width), self.pixel_size, self.unit)

    @property
    def settings_digest(self) -> str:
        """A name for what was asked for, besides image and model."""
        asked = {name: self.to_json()[name] for name in ("grid", "attention", "probabilities")}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]

    def to_json(self) -> dict[str, Any]:
        """The header as a JSON object."""
        classes = asdict(self.classes)["classes"]
        return {"format_version": FORMAT_VERSION, **asdict(self), "classes": classes}

    @classmethod
    def read(cls, folder: Path) -> StoreHeader:
        """What the store in a folder says about itself.

        Raises
        ------
        UserError
            When it is no prediction store of this version.
        """
        with opening_store(folder):
            return cls.of_group(zarr.open_group(folder, mode="r"), folder)

    @classmethod
    def of_group(cls, group: zarr.Group, folder: Path) -> StoreHeader:
        """As :meth:`read`, of a store that is open."""
        values = cast("dict[str, Any]", group.attrs.asdict().get(STORE_ATTRIBUTE, {}))
        return cls.from_json(values, folder)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> StoreHeader:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        UserError
            When ``folder`` is no store of this version.
        """
        if values.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"{folder} is not a prediction of this version of napari-relay; "
                "choose another folder or predict again."
            )
        try:
            attention, pixel_size = values["attention"], values["pixel_size"]
            return cls(
                values["image"],
                values["image_name"],
                values["model"],
                values["model_name"],
                ClassSchema(tuple(SegmentationClass(**c) for c in values["classes"])),
                TileGrid(**values["grid"]),
                AttentionLayout.from_json(attention) if attention else None,
                values["disagreement"],
                values["probabilities"],
                tuple(pixel_size) if pixel_size else None,
                values["unit"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"The description in {folder} is damaged ({error}); delete it and predict again."
            ) from error

    def check_same(self, wanted: StoreHeader, folder: Path) -> None:
        """Refuse a store that holds something else than ``wanted``.

        Raises
        ------
        UserError
            Naming the first difference.
        """
        for differs, what in (
            (self.image != wanted.image, f"another image ({self.image_name})"),
            (self.model != wanted.model, f"other weights (of {self.model_name})"),
            (self.grid != wanted.grid, f"another halo ({self.grid.halo} px)"),
            (self.attention != wanted.attention, "another setting for attention"),
            (self.probabilities != wanted.probabilities, "another setting for probabilities"),
        ):
            if differs:
                raise UserError(
                    f"{folder} was predicted from {what}; choose another folder or delete it."
                )


def is_prediction(folder: Path) -> bool:
    """Whether a folder is a prediction store, of any version."""
    try:
        attributes = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        return "format_version" in attributes[STORE_ATTRIBUTE]
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def opening_store(folder: Path) -> Iterator[None]:
    """Turn what goes wrong at opening into a sentence that names the folder."""
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder} is not a prediction that can be opened; choose another folder."
        ) from error
