"""What came of a batch: a table on disk and one on screen."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_relay.cli.batch_record import ImageRecord
from napari_relay.cli.batch_run import BatchResult
from napari_relay.exporting.reporting.area_table import UNITS, figures, fitting_unit
from napari_relay.exporting.whole import whole_file
from relay_tokens import ClassSchema

SUMMARY = "summary.csv"
_FIXED = (
    "image",
    "path",
    "status",
    "sentence",
    "width",
    "height",
    "predicted_percent",
    "area_unit",
)
_UNITS = {units[0].column: units for units in UNITS.values()}


def write_summary(path: Path, results: Sequence[BatchResult], classes: ClassSchema) -> None:
    """Write a row for each image, with pixels and area of each class, whole or not at all."""
    names = classes.names
    with whole_file(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [*_FIXED, *(f"pixels: {name}" for name in names), *(f"area: {name}" for name in names)]
        )
        writer.writerows(_row(result, names) for result in results)


def _row(result: BatchResult, names: Sequence[str]) -> list[str]:
    record = result.record
    head = [result.image.name, str(result.image.path), result.status, result.sentence]
    if record is None:
        return [*head, *[""] * (len(_FIXED) - len(head) + 2 * len(names))]
    size = [str(record.width), str(record.height), f"{100 * record.covered:.4g}", record.unit]
    pixels = [record.pixels.get(name, 0) for name in names]
    areas = [f"{count * record.pixel_area:.10g}" for count in pixels]
    return [*head, *size, *map(str, pixels), *areas]


def show_summary(results: Sequence[BatchResult], classes: ClassSchema) -> None:
    """Show the areas of each class image by image, their sums, and what failed."""
    console = Console(highlight=False)
    table = Table()
    table.add_column("image", overflow="fold")
    for name in classes.names:
        table.add_column(Text(name), justify="right")
    done = [result for result in results if result.record is not None]
    for result in done:
        table.add_row(Text(result.image.name), *_areas([result.record], classes.names))
    units = {result.record.unit for result in done if result.record is not None}
    if len(done) > 1 and len(units) == 1:
        table.add_section()
        everything = _areas([result.record for result in done], classes.names)
        table.add_row(Text(f"all {len(done)}"), *everything)
    if done:
        console.print(table)
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        line = f"{result.image.path} failed: {result.sentence}"
        console.print(line, style="red", markup=False, soft_wrap=True)


def _areas(records: Sequence[ImageRecord | None], names: Sequence[str]) -> list[str]:
    """Area of each class over images of one unit, in the unit that suits its size."""
    known = [record for record in records if record is not None]
    shown = []
    for name in names:
        area = sum(record.pixels.get(name, 0) * record.pixel_area for record in known)
        unit = fitting_unit(_UNITS.get(known[0].unit, ()), area)
        shown.append(f"{figures(area / unit.size)} {unit.name}")
    return shown
