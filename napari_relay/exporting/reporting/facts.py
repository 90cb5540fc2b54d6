"""What was predicted, by what, and how much of it: the head of a report."""

from __future__ import annotations

from datetime import UTC, datetime

from napari_relay import __version__
from napari_relay.exporting.reporting.sums import PredictionSums
from napari_relay.images.areas import area_text
from napari_relay.images.pixel_size_text import pixel_size_text
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore

Fact = tuple[str, str]


def facts(
    store: PredictionStore, image: PyramidImage, sums: PredictionSums, is_part: bool
) -> list[Fact]:
    """Name and value of each, as text."""
    height, width = image.shape
    rows: list[Fact] = [
        ("Image", ", ".join(path.name for path in image.sources)),
        ("Size", f"{width} × {height} px (width × height)"),
        ("Pixel size", pixel_size_text(image)),
        ("Coordinate system", image.crs or "none"),
        ("Model", store.header.model_name),
        ("Model's fingerprint", store.header.model),
        ("Predicted", predicted_text(sums)),
    ]
    if is_part:
        rows.append(("Counted", f"inside the areas alone: {area_text(sums.asked, image)}"))
    rows += [
        ("Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("napari-relay", __version__),
    ]
    return rows


def predicted_text(sums: PredictionSums) -> str:
    """How much of the image is predicted."""
    share = sums.finished / max(sums.total, 1)
    left_out = f", {percent(sums.skipped / sums.total)} left out as background"
    return f"{percent(share)} of the image{left_out if sums.skipped else ''}"


def incomplete_sentence(sums: PredictionSums) -> str:
    """What a reader must know of a prediction that is not complete; empty of a complete one."""
    if sums.finished + sums.skipped >= sums.total:
        return ""
    return (
        f"Only {percent(sums.covered)} of the image is predicted: "
        "areas and objects are of that part alone."
    )


def percent(share: float) -> str:
    """A share as text; what is not all is never 100 %, what is not nothing never 0 %."""
    shown = f"{share:.1%}".replace(".0%", "%")
    if shown == "100%" and share < 1:
        shown = "99.9%"
    if shown == "0%" and share > 0:
        shown = "<0.1%"
    return shown.replace("%", "\u202f%")
