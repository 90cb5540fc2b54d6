"""What the runs of a tuning came to, and the tables of them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, NamedTuple

from napari_relay.training.tuning_plan import Combination

Outcome = Literal["finished", "stopped", "failed", "running"]
CSV_TABLE, MARKDOWN_TABLE = "tune.csv", "tune.md"


class TunedRun(NamedTuple):
    """What a run came to."""

    combination: Combination
    """What sets it apart."""
    miou: float
    """Best held-out mIoU; NaN: none yet."""
    steps: int
    """Steps it was trained for."""
    seconds_per_step: float
    """Mean, evaluations included; NaN: none yet."""
    parameters: int
    """Of the model."""
    batch_size: int
    """Crop pairs in a batch."""
    memory: int | None
    """Most memory of a CUDA device that was in use at once, in bytes."""
    outcome: Outcome
    """``stopped``: as one of the worse; ``failed``: there was no room in memory."""


def shown_columns(runs: Sequence[TunedRun]) -> dict[str, list[str]]:
    """Columns of a table to be read, with the text of each row."""
    columns = {
        "tokens": [str(run.combination.relay_tokens) for run in runs],
        "context": [str(run.combination.context_factor) for run in runs],
        "crop": [str(run.combination.crop_size) for run in runs],
        "batch": [str(run.batch_size) for run in runs],
        "mIoU": [_shown(run.miou, 3) for run in runs],
        "steps": [str(run.steps) for run in runs],
        "s/step": [_shown(run.seconds_per_step, 2) for run in runs],
        "params": [f"{run.parameters / 1e6:.2f} M" for run in runs],
    }
    if any(run.memory for run in runs):
        columns["memory"] = [_gibibytes(run.memory) for run in runs]
    return {**columns, "outcome": [run.outcome for run in runs]}


def write_tables(
    folder: Path, runs: Sequence[TunedRun], notes: Sequence[str], command: str
) -> None:
    """Write ``tune.csv`` and ``tune.md``, each whole or not at all.

    Parameters
    ----------
    folder
        Of the tuning.
    runs
        Best first.
    notes
        Sentences on what was left out.
    command
        Line that trains the best for long.
    """
    _write(folder / CSV_TABLE, _csv_text(runs))
    parts = ["# Tuning", markdown_table(shown_columns(runs)), *notes]
    parts += ["The best one is trained for long with", f"```\n{command}\n```"]
    _write(folder / MARKDOWN_TABLE, "\n\n".join(parts) + "\n")


def markdown_table(columns: Mapping[str, Sequence[str]]) -> str:
    """A table in Markdown."""
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _csv_text(runs: Sequence[TunedRun]) -> str:
    """One line a run; empty where a value is not known."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(_row(runs[0])))
    writer.writeheader()
    writer.writerows(_row(run) for run in runs)
    return text.getvalue()


def _row(run: TunedRun) -> dict[str, object]:
    values = {**asdict(run.combination), **run._asdict()}
    del values["combination"]
    return {k: "" if v is None or v != v else v for k, v in values.items()}


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8", newline="")
    scratch.replace(path)


def _shown(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _gibibytes(memory: int | None) -> str:
    return "–" if memory is None else f"{memory / 2**30:.1f} GiB"
