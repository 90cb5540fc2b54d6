"""What a prediction store says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_relay.geometry import TileGrid
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.attention import AttentionLayout
from napari_relay.inference.fingerprints import image_fingerprint, model_fingerprint
from napari_relay.inference.options import PredictOptions, tile_grid
from relay_tokens import Checkpoint, ClassSchema, SegmentationClass, UserError

FORMAT_VERSION = 1


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
            AttentionLayout.of(checkpoint.model, grid) if options.attention else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The header as a JSON object."""
        values = {f: getattr(self, f) for f in ("image", "image_name", "model", "model_name")}
        attention = self.attention.to_json() if self.attention else None
        return {
            "format_version": FORMAT_VERSION,
            **values,
            "classes": asdict(self.classes)["classes"],
            "grid": asdict(self.grid),
            "attention": attention,
        }

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
            attention = values["attention"]
            return cls(
                values["image"],
                values["image_name"],
                values["model"],
                values["model_name"],
                ClassSchema(tuple(SegmentationClass(**c) for c in values["classes"])),
                TileGrid(**values["grid"]),
                AttentionLayout.from_json(attention) if attention else None,
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
        ):
            if differs:
                raise UserError(
                    f"{folder} was predicted from {what}; choose another folder or delete it."
                )
