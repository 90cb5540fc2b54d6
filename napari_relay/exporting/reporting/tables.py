"""The tables of a report, as text to read and as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting.reporting.area_table import (
    PIXELS,
    cells,
    columns,
    figures,
    pixel_area,
    shown_unit,
)
from napari_relay.exporting.reporting.facts import percent
from napari_relay.exporting.reporting.gleason import gleason_patterns, gleason_score
from napari_relay.exporting.reporting.sums import PredictionSums
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.correction_values import value_names
from relay_tokens import ClassSchema

NONE = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings."""

    headings: tuple[str, ...]
    """Of the columns; the first names a row."""
    rows: tuple[tuple[str, ...], ...]
    """As long as the headings."""
    colors: tuple[str, ...] = ()
    """``#rrggbb`` of each row; none: the rows have no colours."""


def area_table(
    sums: PredictionSums, classes: ClassSchema, image: PyramidImage, chosen: Sequence[int]
) -> Table:
    """Area, share and confidence of each chosen class, to read."""
    size = pixel_area(image)
    areas = [int(sums.pixels[label]) * size for label in chosen]
    unit = shown_unit(image, median([area for area in areas if area] or [0.0]))
    in_pixels = () if unit is PIXELS else ("pixels",)
    rows = []
    for label, area in zip(chosen, areas, strict=True):
        pixels = int(sums.pixels[label])
        counted = () if unit is PIXELS else (figures(pixels),)
        share = percent(pixels / sums.classed) if sums.classed else NONE
        confidence = _decimals(float(sums.confidence[label]))
        name = classes.names[label]
        rows.append((name, figures(area / unit.size), share, *counted, confidence))
    headings = ("class", f"area ({unit.name})", "share", *in_pixels, "mean confidence")
    return Table(headings, tuple(rows), tuple(classes.colors[label] for label in chosen))


def write_areas(
    path: Path,
    sums: PredictionSums,
    classes: ClassSchema,
    image: PyramidImage,
    chosen: Sequence[int],
) -> None:
    """Write ``areas.csv``: pixels, areas, share and mean confidence of each chosen class."""
    size = pixel_area(image)
    head = ["label", "class", "pixels", *columns(image), "share_percent", "mean_confidence"]
    rows = []
    for label in chosen:
        pixels = int(sums.pixels[label])
        share = 100 * pixels / sums.classed if sums.classed else math.nan
        confidence = float(sums.confidence[label])
        area = cells(pixels * size, image)
        numbers = _number(share), _number(confidence)
        rows.append([str(label), classes.names[label], str(pixels), *area, *numbers])
    write_csv(path, head, rows)


def correction_table(corrections: CorrectionStore, image: PyramidImage) -> Table | None:
    """Pixels and steps of each value that was painted, to read; None where nothing was."""
    names, now = value_names(corrections.schema), corrections.value_counts()
    steps: dict[int, set[int]] = {}
    for one in corrections.log.corrections():
        if not one.undone:
            steps.setdefault(one.value, set()).add(one.step)
    size = pixel_area(image)
    shown = [value for value in names if now[value] or steps.get(value)]
    if not shown:
        return None
    unit = shown_unit(image, float(now.max()) * size)
    rows = [
        (names[value], figures(now[value] * size / unit.size), str(len(steps.get(value, ()))))
        for value in shown
    ]
    return Table(("value", f"area now ({unit.name})", "steps"), tuple(rows))


def correction_sentence(corrections: CorrectionStore) -> str:
    """By whom and when it was corrected; empty where the log has nothing."""
    found = [one for one in corrections.log.corrections() if not one.undone]
    if not found:
        return ""
    people = ", ".join(sorted({one.person for one in found}))
    first, last = min(one.time for one in found), max(one.time for one in found)
    steps = len({one.step for one in found})
    when = first[:10] if first[:10] == last[:10] else f"{first[:10]} to {last[:10]}"
    count = "1 step" if steps == 1 else f"{steps} steps"
    return f"{count} by {people}, {when}."


def gleason_table(sums: PredictionSums, classes: ClassSchema) -> Table | None:
    """Gleason score and grade group by both rules; None unless the classes are patterns."""
    patterns = gleason_patterns(classes)
    if not patterns:
        return None
    areas = {grade: float(sums.pixels[label]) for grade, label in patterns.items()}
    headings = ("rule", "primary", "secondary", "tertiary", "score", "grade group")
    rows = []
    for specimen, name in (("biopsy", "needle biopsy"), ("prostatectomy", "prostatectomy")):
        found = gleason_score(areas, "biopsy" if specimen == "biopsy" else "prostatectomy")
        if found is None:
            rows.append((name, *(NONE,) * 3, "no tumour predicted", NONE))
            continue
        tertiary = str(found.tertiary) if found.tertiary else NONE
        parts = str(found.primary), str(found.secondary), tertiary
        rows.append((name, *parts, str(found.score), str(found.grade_group)))
    return Table(headings, tuple(rows))


def pattern_table(sums: PredictionSums, classes: ClassSchema) -> Table:
    """Share of each pattern in the tumour, to read."""
    patterns = gleason_patterns(classes)
    tumour = sum(int(sums.pixels[label]) for label in patterns.values())
    rows = [
        (
            classes.names[label],
            percent(int(sums.pixels[label]) / tumour) if tumour else NONE,
        )
        for _, label in sorted(patterns.items())
    ]
    colors = tuple(classes.colors[label] for _, label in sorted(patterns.items()))
    return Table(("pattern", "share of the tumour"), tuple(rows), colors)


def write_csv(path: Path, headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def _decimals(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else NONE


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
