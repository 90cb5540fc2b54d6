"""Does a person's correcting pay? A simulated one corrects images of a shifted domain.

``python -m benchmarks.interactive`` writes ``benchmarks/results/interactive.json``;
``python -m benchmarks.interactive --report`` makes the tables in ``docs/interactive.md``
and ``docs/images/interactive.png`` from it.

Shipped models meet land of another soil, plan and terrain, and faded tissue. Round by
round a simulated person paints ten strokes or polygons; the model learns from them as
the app does it, predicts again, and is scored on what nobody touched. What it could
reach is said by a model that was trained on the domain with all labels. Every run is a
process of its own and is kept round by round: repeating the command goes on where it
stopped. A number in a file ``jobs`` in the work folder changes how many runs go on
together.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from functools import partial
from pathlib import Path

from benchmarks.interactive_domain import DOMAINS
from benchmarks.interactive_plan import Run, planned_runs
from benchmarks.interactive_report import write_report
from benchmarks.interactive_results import gathered, is_done, write_json
from benchmarks.interactive_setting import SETTINGS
from benchmarks.interactive_work import WorkFolder
from benchmarks.queued_processes import Job, run_jobs
from napari_relay.folders import cache_folder
from relay_tokens import UserError

RESULTS = Path("benchmarks/results/interactive.json")
PAGE = Path("docs/interactive.md")
MODULE = "benchmarks.interactive_run"


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
    parser.add_argument("--work", type=Path, help="Folder of images and runs; default: the cache.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="Runs at a time.")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="Only write the page and picture.")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    setting = SETTINGS[arguments.setting]
    place = arguments.work or cache_folder() / "benchmarks" / f"interactive-{setting.name}"
    folder = WorkFolder.open(place.resolve(), setting)
    train_references(folder, arguments.jobs)
    do_all(folder, planned_runs(setting), arguments.jobs, arguments.output)


def train_references(folder: WorkFolder, jobs: int) -> None:
    """Train the models of the domains that are missing.

    Raises
    ------
    UserError
        When one could not be trained.
    """
    missing = [
        Job(
            f"reference {name}",
            (MODULE, str(folder.path), "reference", name),
            folder.log(f"reference-{name}"),
        )
        for name in DOMAINS
        if not folder.reference(name).exists()
    ]
    run_jobs(missing, partial(allowed_jobs, folder, jobs), _told, folder.setting.threads)
    if not all(folder.reference(name).exists() for name in DOMAINS):
        raise UserError(f"Not all references were trained; {folder.path / 'logs'} says why.")


def do_all(folder: WorkFolder, runs: tuple[Run, ...], jobs: int, output: Path) -> None:
    """Do the rounds that are missing; results are kept after each run."""
    missing = [
        Job(run.key, (MODULE, str(folder.path), "run", run.key), folder.log(run.key))
        for run in runs
        if not is_done(folder, run)
    ]

    def finished(job: Job, status: int) -> None:
        _told(job, status)
        write_json(gathered(folder, runs), output)

    write_json(gathered(folder, runs), output)
    run_jobs(missing, partial(allowed_jobs, folder, jobs), finished, folder.setting.threads)
    failed = [run.key for run in runs if not is_done(folder, run)]
    if failed:
        raise UserError(f"These runs failed: {', '.join(failed)}; {folder.path / 'logs'} says why.")


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
