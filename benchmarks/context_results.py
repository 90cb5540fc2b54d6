"""What the benchmark of context found so far, as one JSON document."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.context_plan import Run
from benchmarks.context_work import WorkFolder

LISTED = (
    "miou",
    "accuracy",
    "calibration_error",
    "validation_miou",
    "best_step",
    "seconds",
    "test_seconds",
)
"""One value a seed in the document."""
PACKAGES = ("torch", "timm", "segmentation-models-pytorch", "numpy", "napari-relay")


def gathered(folder: WorkFolder, runs: Sequence[Run]) -> dict[str, Any]:
    """All finished runs.

    Returns
    -------
    dict
        ``models`` and ``ablations`` by name, each with lists of one value a seed;
        ``setting``; and how many runs are ``finished`` of how many ``planned``.
    """
    done = [run for run in runs if folder.result(run).exists()]
    found = [json.loads(folder.result(run).read_text()) for run in done]
    return {
        "finished": len(found),
        "planned": len(runs),
        "models": _by_name(found, "models"),
        "ablations": _by_name(found, "ablations"),
        "setting": {**asdict(folder.setting), **_machine(), **_time(found)},
    }


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write a document, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(json.dumps(document, indent=2) + "\n")
    scratch.replace(path)


def _by_name(found: Sequence[dict[str, Any]], group: str) -> dict[str, Any]:
    names = dict.fromkeys(one["name"] for one in found if one["group"] == group)
    return {name: _merged([one for one in found if one["name"] == name]) for name in names}


def _merged(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Runs of one model from several seeds."""
    ordered = sorted(found, key=lambda one: int(one["seed"]))
    merged: dict[str, Any] = {
        "seeds": [one["seed"] for one in ordered],
        "params": ordered[0]["params"],
        **{key: [one[key] for one in ordered] for key in LISTED},
    }
    for key in ("iou", "lands"):
        merged[key] = {name: [one[key][name] for one in ordered] for name in ordered[0][key]}
    if ordered[0]["context"]:
        merged["context"] = [one["context"] for one in ordered]
    return merged


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


def _time(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    total = sum(one["seconds"] + one["test_seconds"] for one in found)
    return {"hours_of_all_runs": round(total / 3600, 2)}
