"""Do relay tokens help? Models with and without them on land that no model has seen.

``python -m benchmarks.context`` writes ``benchmarks/results/context.json``;
``python -m benchmarks.context --report`` makes the tables in ``docs/context.md`` and
``docs/images/context.png`` from it.

Synthetic landscapes, in which only what lies beyond a local crop tells some classes
apart, are written once to the work folder. Every model is trained from the same
crops, steps and augmentations, from several seeds, each in a process of its own;
its best step is chosen on a validation land, and it is scored once on every window
of the test lands, whose seeds nothing else uses. Repeating the command goes on where
it stopped; the results are rewritten after every run. A number in a file ``jobs`` in
the work folder changes how many runs go on together.

Needs ``pip install 'napari-relay[train,geo]' segmentation-models-pytorch``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from functools import partial
from pathlib import Path

from benchmarks.context_plan import Run, planned_runs
from benchmarks.context_report import write_report
from benchmarks.context_results import gathered, write_json
from benchmarks.context_setting import SETTINGS
from benchmarks.context_work import WorkFolder
from benchmarks.queued_processes import Job, run_jobs
from napari_relay.folders import cache_folder
from relay_tokens import UserError

RESULTS = Path("benchmarks/results/context.json")
PAGE = Path("docs/context.md")


def main() -> None:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.report:
            write_report(arguments.output, PAGE)
        else:
            _run(arguments)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from here.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--work", type=Path, help="Folder of lands and runs; default: the cache.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="Runs at a time.")
    parser.add_argument("--ablation-seeds", type=int, default=1, help="Seeds of each ablation.")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="Only write the page and picture.")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    if importlib.util.find_spec("segmentation_models_pytorch") is None:
        raise UserError("The U-Net is missing; run: pip install segmentation-models-pytorch")
    setting = SETTINGS[arguments.setting]
    place = arguments.work or cache_folder() / "benchmarks" / f"context-{setting.name}"
    folder = WorkFolder.open(place.resolve(), setting)
    runs = planned_runs(setting, arguments.ablation_seeds)
    write_lands(folder, arguments.jobs)
    train_all(folder, runs, arguments.jobs, arguments.output)


def write_lands(folder: WorkFolder, jobs: int) -> None:
    """Write the landscapes that are missing.

    Raises
    ------
    UserError
        When one could not be written.
    """
    missing = [
        Job(
            f"land {split}/{seed}",
            ("benchmarks.context_run", str(folder.path), "land", split, str(seed)),
            folder.path / "lands.log",
        )
        for split, seed in folder.setting.lands()
        if not folder.is_written(split, seed)
    ]
    run_jobs(missing, partial(allowed_jobs, folder, jobs), _told)
    if not all(folder.is_written(*land) for land in folder.setting.lands()):
        raise UserError(f"Not all landscapes were written; {folder.path / 'lands.log'} says why.")


def train_all(folder: WorkFolder, runs: tuple[Run, ...], jobs: int, output: Path) -> None:
    """Train and score the runs that are missing; results are kept after each."""
    missing = [
        Job(
            run.key,
            ("benchmarks.context_run", str(folder.path), "run", run.key),
            folder.run(run) / "log.txt",
        )
        for run in runs
        if not folder.result(run).exists()
    ]

    def finished(job: Job, status: int) -> None:
        _told(job, status)
        write_json(gathered(folder, runs), output)

    write_json(gathered(folder, runs), output)
    at_a_time = partial(allowed_jobs, folder, jobs)
    run_jobs(missing, at_a_time, finished, folder.setting.threads)
    failed = [run.key for run in runs if not folder.result(run).exists()]
    if failed:
        raise UserError(
            f"These runs failed: {', '.join(failed)}; log.txt in {folder.path / 'runs'} says why."
        )


def allowed_jobs(folder: WorkFolder, default: int) -> int:
    """Runs at a time: the number in the file ``jobs``, where there is one."""
    try:
        return int((folder.path / "jobs").read_text())
    except (OSError, ValueError):
        return default


def _told(job: Job, status: int) -> None:
    print(job.name, "done" if status == 0 else f"failed ({status}); see {job.log}", flush=True)


if __name__ == "__main__":
    main()
