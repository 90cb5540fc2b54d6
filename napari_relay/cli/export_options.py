"""The options by which ``export`` and ``batch`` choose what is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from napari_relay.exporting.formats import ExportFormat
    from napari_relay.exporting.vectors import ObjectOptions
    from napari_relay.images import PyramidImage

# The same as those of napari_relay.exporting, whose import takes seconds (torch).
QuantityName = Literal["classes", "confidence", "entropy", "disagreement", "probabilities"]
FORMAT_NAMES = (
    "cog", "ome-tiff", "ome-zarr", "png", "gpkg", "geojson", "shp", "qupath", "report", "html",
    "corrections", "log",
)  # fmt: skip
"""What ``--format`` takes, for the help."""

Quantities = Annotated[
    QuantityName, typer.Option("--quantity", help="What the pixels of a raster are.")
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="A,B,...",
        help="Only objects of these classes; all but background if not given.",
        show_default=False,
    ),
]
MinimumArea = Annotated[
    float,
    typer.Option(
        "--min-area", min=0, metavar="AREA", help="Smallest object, in m², µm² or else pixels."
    ),
]
MinimumConfidence = Annotated[
    float,
    typer.Option("--min-confidence", min=0, max=1, help="Least mean confidence of an object."),
]
Simplify = Annotated[
    float,
    typer.Option(
        "--simplify",
        min=0,
        metavar="TOLERANCE",
        help="Of outlines, in m, µm or else pixels; shared borders stay shared.",
    ),
]


@dataclass(frozen=True)
class Filters:
    """Which objects are wanted, as the command line has it."""

    classes: str | None = None
    """Names with commas; None: all but the background."""
    min_area: float = 0.0
    """Smallest area, in the image's unit squared."""
    min_confidence: float = 0.0
    """Least mean confidence."""
    simplify: float = 0.0
    """Tolerance of outlines, in the image's unit."""
    within: Path | None = None
    """File of polygons outside of which nothing is exported."""

    def check(self, formats: Sequence[ExportFormat]) -> None:
        """Refuse filters that none of the formats takes.

        Raises
        ------
        typer.BadParameter
            Naming the filter.
        """
        kinds = {one.kind for one in formats}
        for given, option, needed in (
            (self.classes is not None, "--classes", {"objects", "report"}),
            (self.min_area > 0, "--min-area", {"objects", "report"}),
            (self.min_confidence > 0, "--min-confidence", {"objects", "report"}),
            (self.simplify > 0, "--simplify", {"objects"}),
            (self.within is not None, "--within", {"objects", "report", "raster"}),
        ):
            if given and not kinds & needed:
                names = ", ".join(one.name for one in formats)
                raise typer.BadParameter(f"{option} does not concern {names}.")

    def options(self, image: PyramidImage) -> ObjectOptions:
        """The same for one image.

        Raises
        ------
        UserError
            When the file of polygons cannot be read, or none lies over the image.
        """
        from napari_relay.cli.within import read_polygons
        from napari_relay.exporting.vectors import ObjectOptions, outlines_in_pixels

        outlines = None if self.within is None else read_polygons(self.within, image)
        names = None if self.classes is None else _split(self.classes)
        return ObjectOptions(
            classes=names,
            minimum_area=self.min_area,
            minimum_confidence=self.min_confidence,
            within=None if outlines is None else outlines_in_pixels(outlines),
            simplify=self.simplify,
        )


def parse_formats(text: str) -> tuple[ExportFormat, ...]:
    """Formats with commas, each once.

    Raises
    ------
    UserError
        When there is no such format.
    """
    from napari_relay.exporting.formats import format_named

    return tuple(dict.fromkeys(format_named(name) for name in _split(text)))


def _split(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise typer.BadParameter(f"{text!r} names nothing; write names with commas.")
    return names
