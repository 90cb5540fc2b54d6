"""What the benchmark of correcting found so far, as one JSON document."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.context_results import write_json
from benchmarks.interactive_domain import SHIFTED_LAND
from benchmarks.interactive_plan import Run
from benchmarks.interactive_work import WorkFolder

__all__ = ["gathered", "is_done", "write_json"]

PACKAGES = ("torch", "timm", "numpy", "napari-relay")


def is_done(folder: WorkFolder, run: Run) -> bool:
    """Whether all rounds of a run are kept."""
    return len(_rounds(folder.result(run.key))) > folder.setting.rounds


def gathered(folder: WorkFolder, runs: Sequence[Run]) -> dict[str, Any]:
    """All finished runs.

    Returns
    -------
    dict
        ``runs``: for each its ``domain``, ``method``, ``seed`` and ``rounds``, of
        which the first one is before any correction; ``setting``; and how many runs
        are ``finished`` of how many ``planned``.
    """
    done = [run for run in runs if is_done(folder, run)]
    return {
        "finished": len(done),
        "planned": len(runs),
        "runs": [json.loads(folder.result(run.key).read_text()) for run in done],
        "setting": {**asdict(folder.setting), "land": str(SHIFTED_LAND), **_machine()},
    }


def _rounds(result: Path) -> list[dict[str, Any]]:
    if not result.exists():
        return []
    rounds: list[dict[str, Any]] = json.loads(result.read_text())["rounds"]
    return rounds


def _machine() -> dict[str, Any]:
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in PACKAGES},
    }
