"""The report of an evaluation: a page to read, one to pass on, and the numbers."""

from __future__ import annotations

import json
import math
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_relay import __version__
from napari_relay.training.context_effect import ContextEffect
from napari_relay.training.dataset_evaluation import Evaluation, RatedExample
from napari_relay.training.figures import require_matplotlib, save_figure
from napari_relay.training.metrics import Scores
from napari_relay.training.pages import page_environment
from napari_relay.training.pictures import ShownExample, draw_examples
from napari_relay.training.plots import draw_confusion, draw_reliability
from relay_tokens import Checkpoint, ClassSchema, UserError

if TYPE_CHECKING:
    from jinja2 import Environment

SCORES = "scores.json"
PAGES = ("report.md", "report.html")
COLUMNS = ("IoU", "F1", "precision", "recall", "share")
"""Scores of a class in a table; the share is that of the labelled pixels."""
FOOTER = (
    "The scores compare predictions with the labels that were given; they say nothing of how "
    "right those are. mIoU is the mean over the classes that are labelled."
)
CONFUSION_TEXT = "Each row is a class of the labels: where its pixels went."
RELIABILITY_TEXT = (
    "Among pixels predicted with a confidence of 0.8, eight of ten should be right: bars under "
    "the line mean that the model is too sure of itself, bars over it that it is too modest."
)
EXAMPLES_TEXT = (
    "Windows by their own mIoU, of those that have two classes or more and are labelled in a "
    "quarter of their pixels, if there are any. The square in the global crop is the local crop."
)


class Picture(NamedTuple):
    """A picture of a report."""

    title: str
    """Its heading."""
    text: str
    """What it shows."""
    path: Path
    """A PNG file in the report's folder."""

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def base64(self) -> str:
        """The file's content, to be embedded."""
        return b64encode(self.path.read_bytes()).decode("ascii")


def prepare_report(folder: Path) -> None:
    """Make the folder of a report, before a long evaluation.

    Raises
    ------
    UserError
        When it cannot be written, or a package that reports need is missing.
    """
    require_matplotlib()
    _environment()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The report folder {folder} cannot be written ({error.strerror}); name another."
        ) from error


def write_report(folder: Path, evaluation: Evaluation, checkpoint: Checkpoint) -> None:
    """Write ``report.html``, ``report.md``, ``scores.json`` and the pictures.

    The HTML page holds its pictures and can be passed on alone. Files of an
    earlier report are replaced.

    Parameters
    ----------
    folder
        Made when it is not there.
    evaluation
        What is reported.
    checkpoint
        The model that was evaluated.

    Raises
    ------
    UserError
        See :func:`prepare_report`.
    """
    prepare_report(folder)
    record = json.dumps(scores_record(evaluation), indent=2, allow_nan=False) + "\n"
    _write(folder / SCORES, record)
    content = {**_content(evaluation), "pictures": _draw(folder, evaluation, checkpoint)}
    environment = _environment()
    for page in PAGES:
        _write(folder / page, environment.get_template(page).render(content))


def score_table(scores: Scores, classes: ClassSchema) -> list[tuple[str, tuple[str, ...]]]:
    """Name and scores of each class as text, in the order of :data:`COLUMNS`."""
    columns = (scores.iou, scores.f1, scores.precision, scores.recall, scores.share)
    rows = zip(*columns, strict=True)
    return [
        (name, tuple(number_text(value) for value in row))
        for name, row in zip(classes.names, rows, strict=True)
    ]


def score_totals(scores: Scores) -> list[tuple[str, str]]:
    """Name and value, as text, of the scores of all classes together."""
    return [
        ("mIoU", number_text(scores.miou)),
        ("pixel accuracy", number_text(scores.accuracy)),
        ("expected calibration error", number_text(scores.calibration_error)),
    ]


def number_text(value: float) -> str:
    """Three decimals; a dash for a score that does not exist."""
    return f"{value:.3f}" if math.isfinite(value) else "–"


def scores_record(evaluation: Evaluation) -> Mapping[str, object]:
    """Everything that was measured, as JSON; None for a score that does not exist."""
    classes, context = evaluation.model.classes, evaluation.context
    return {
        "napari_relay": __version__,
        "model": evaluation.model.name,
        "data": evaluation.data,
        "finished": evaluation.finished.isoformat(timespec="seconds"),
        "device": evaluation.device,
        "seconds": round(evaluation.seconds, 1),
        "windows": evaluation.windows,
        "all_windows": evaluation.all_windows,
        "seed": evaluation.options.seed,
        **_record(evaluation.scores, classes),
        "confusion": evaluation.scores.confusion.tolist(),
        "reliability": _reliability_record(evaluation.scores),
        "context": None if context is None else _context_record(context),
        "images": {one.name: _record(one.scores, classes) for one in evaluation.images},
    }


def _record(scores: Scores, classes: ClassSchema) -> dict[str, object]:
    by_class = (scores.iou, scores.f1, scores.precision, scores.recall, scores.share)
    return {
        "miou": _rounded(scores.miou),
        "accuracy": _rounded(scores.accuracy),
        "calibration_error": _rounded(scores.calibration_error),
        "pixels": scores.pixels,
        "classes": {
            name: dict(zip(map(str.lower, COLUMNS), map(_rounded, row), strict=True))
            for name, row in zip(classes.names, zip(*by_class, strict=True), strict=True)
        },
    }


def _reliability_record(scores: Scores) -> dict[str, object] | None:
    bins = scores.calibration
    if bins is None:
        return None
    return {
        "pixels": bins.pixels.tolist(),
        "confidence": [_rounded(value) for value in bins.confidence],
        "accuracy": [_rounded(value) for value in bins.accuracy],
    }


def _context_record(context: ContextEffect) -> dict[str, object]:
    return {
        "windows": context.examples,
        "changed": _rounded(context.changed),
        "miou_with": _rounded(context.with_context.miou),
        "miou_without": _rounded(context.without.miou),
    }


def _rounded(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def _content(evaluation: Evaluation) -> dict[str, object]:
    """What both pages say."""
    classes, context = evaluation.model.classes, evaluation.context
    return {
        "model": evaluation.model.name,
        "facts": _facts(evaluation),
        "columns": COLUMNS,
        "classes": score_table(evaluation.scores, classes),
        "colors": classes.colors,
        "totals": score_totals(evaluation.scores),
        "context": None if context is None else context_sentence(context),
        "images": [
            (one.name, (number_text(s.miou), number_text(s.accuracy), f"{s.pixels:,}"))
            for one in evaluation.images
            for s in (one.scores,)
        ],
        "footer": FOOTER,
    }


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    windows = f"{evaluation.windows:,}"
    if evaluation.windows < evaluation.all_windows:
        seed = evaluation.options.seed
        windows += f" of {evaluation.all_windows:,}, drawn at random (seed {seed})"
    return [
        ("Model", evaluation.model.name),
        ("Data", evaluation.data),
        ("Windows", windows),
        ("Labelled pixels", f"{evaluation.scores.pixels:,}"),
        ("Date", f"{evaluation.finished:%Y-%m-%d %H:%M} UTC"),
        ("napari-relay", __version__),
        ("Device", evaluation.device),
        ("Time", f"{evaluation.seconds:.1f} s"),
    ]


def context_sentence(context: ContextEffect) -> str:
    """What the context is worth, for a person to read."""
    one = context.examples == 1
    return (
        f"On {'1 window' if one else f'{context.examples} windows'} the global crops were "
        f"replaced by blank ones: {context.changed:.2%} of the labelled pixels changed class, and "
        f"mIoU went from {number_text(context.with_context.miou)} to "
        f"{number_text(context.without.miou)}."
    )


def _draw(folder: Path, evaluation: Evaluation, checkpoint: Checkpoint) -> list[Picture]:
    """Write the pictures."""
    scores, classes = evaluation.scores, evaluation.model.classes
    drawn = [("Confusion matrix", CONFUSION_TEXT, "confusion", draw_confusion(scores, classes))]
    if scores.calibration is not None:
        reliability = draw_reliability(scores.calibration)
        drawn.append(("Reliability", RELIABILITY_TEXT, "reliability", reliability))
    if evaluation.examples:
        rows = [ShownExample(_title(one), one.predicted) for one in evaluation.examples]
        examples = draw_examples(rows, checkpoint)
        drawn.append(("Best, median and worst", EXAMPLES_TEXT, "examples", examples))
    return [
        Picture(title, text, save_figure(figure, folder / f"{name}.png"))
        for title, text, name, figure in drawn
    ]


def _title(example: RatedExample) -> str:
    """Name of an example's row, with as much of the image's name as there is room for."""
    name = example.image if len(example.image) <= 24 else f"…{example.image[-23:]}"
    place = f"row {example.window.y0}, col {example.window.x0}"
    return f"{example.rating}: mIoU {number_text(example.miou)}\n{name}\n{place}"


def _environment() -> Environment:
    return page_environment("napari_relay.training", "report_templates")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
