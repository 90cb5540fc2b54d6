"""One part of the benchmark of correcting, in a process of its own.

``python -m benchmarks.interactive_run WORK reference landscape`` trains the model of a
domain, ``python -m benchmarks.interactive_run WORK run landscape-default-601`` does the
rounds of a run that are missing.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.annotator import Annotator, Correction
from benchmarks.interactive_domain import DOMAINS, Ground
from benchmarks.interactive_learners import ForestLearner, Learner, RelayLearner
from benchmarks.interactive_plan import Run, named_run
from benchmarks.interactive_reference import train_reference
from benchmarks.interactive_scores import BaseDomain, Known, known_predictions, rounded
from benchmarks.interactive_work import WorkFolder
from napari_relay.annotation import CorrectionStore, RankingOptions, rank_places
from napari_relay.geometry import Window
from napari_relay.training.metrics import confusion_matrix
from relay_tokens import IGNORE_INDEX, Checkpoint, UserError, load_model, save_checkpoint

PLACE = 64
"""Side of a place that the queue names or chance draws, in pixels."""


def main(arguments: list[str]) -> None:
    work, what, name = arguments
    folder = WorkFolder.load(Path(work))
    torch.set_num_threads(folder.setting.threads)
    if what == "reference":
        write_reference(folder, name)
    else:
        write_rounds(folder, named_run(name))


def write_reference(folder: WorkFolder, name: str) -> None:
    """Train the model of a domain, unless it is there."""
    domain, setting = next(d for d in DOMAINS.values() if d.name == name), folder.setting
    if folder.reference(name).exists():
        return
    grounds = [folder.ground(domain, seed) for seed in setting.reference_seeds]
    steps = setting.reference_steps[name]
    for step, found in enumerate(
        train_reference(load_model(domain.model), grounds, steps, setting), 1
    ):
        if isinstance(found, Checkpoint):
            scratch = folder.reference(name).with_suffix(".part")
            save_checkpoint(scratch, found.model, found.metadata)
            scratch.replace(folder.reference(name))
        elif step % 50 == 0:
            print(step, f"{found:.4f}", flush=True)


def write_rounds(folder: WorkFolder, run: Run, keep: bool = False) -> None:
    """Correct, learn and predict until all rounds are done; each is kept as it ends.

    Parameters
    ----------
    folder
        Where.
    run
        What.
    keep
        Whether what the run needs to go on is kept at its end.
    """
    state = _State.begun(folder, run)
    known = known_predictions(folder, run.domain, run.seed)
    while len(state.rounds) <= folder.setting.rounds:
        state.go_on(known)
        print(run.key, json.dumps(state.rounds[-1]), flush=True)
    if not keep:
        shutil.rmtree(folder.state(run.key))


@dataclass(eq=False)
class _State:
    """Where a run is."""

    folder: WorkFolder
    run: Run
    ground: Ground
    base: BaseDomain
    learner: Learner
    corrections: CorrectionStore
    rounds: list[dict[str, Any]]

    @classmethod
    def begun(cls, folder: WorkFolder, run: Run) -> _State:
        """A run from its last finished round on."""
        domain, place = DOMAINS[run.domain], folder.state(run.key)
        ground = folder.ground(domain, run.seed)
        checkpoint = load_model(domain.model)
        result = folder.result(run.key)
        rounds = json.loads(result.read_text())["rounds"] if result.exists() else []
        shutil.rmtree(place / "corrections", ignore_errors=True)
        corrections = CorrectionStore.create(
            place / "corrections", ground.image.shape, checkpoint.metadata.classes, run.key
        )
        if rounds:
            with np.load(place / f"painted-{len(rounds)}.npz") as kept:
                corrections.write(ground.image.window, kept["painted"])
        base = BaseDomain(domain, checkpoint, folder.setting.base_windows[domain.name])
        options = run.method.options(folder.setting, run.domain, run.seed)
        learner: Learner
        if run.method.forest:
            learner = ForestLearner(place, checkpoint, ground.image, run.seed, len(rounds))
        else:
            learner = RelayLearner(
                place, checkpoint, ground.image, options, run.method.rehearses, len(rounds)
            )
        return cls(folder, run, ground, base, learner, corrections, rounds)

    @property
    def painted(self) -> NDArray[np.uint8]:
        """All corrections."""
        return self.corrections.read(self.ground.image.window)

    def go_on(self, known: Known) -> None:
        """Do the next round; the first one only predicts."""
        record: dict[str, Any] = {"round": len(self.rounds), "corrections": 0, "painted": 0}
        if self.rounds:
            made = self._corrected(known)
            for correction in made:
                self._paint(correction)
            self.corrections.flush()
            before = perf_counter(), process_time()
            record |= self.learner.learn(self.corrections)
            record |= _seconds("train", before)
            before = perf_counter(), process_time()
            self.learner.predict_view(self._view)
            record |= _seconds("view", before)
            record["corrections"] = self.rounds[-1]["corrections"] + len(made)
        self.learner.predict_rest()
        record |= self._scores(known)
        self._keep(record)

    @property
    def _view(self) -> Window:
        """What is on screen: the middle of the image."""
        (rows, cols), (height, width) = self.ground.image.shape, self.folder.setting.view
        height, width = min(height, rows), min(width, cols)
        return Window((rows - height) // 2, (cols - width) // 2, height, width)

    def _corrected(self, known: Known) -> list[Correction]:
        """What the person paints in this round."""
        setting = self.folder.setting
        person = Annotator(self.ground.truth, setting.brush, setting.reach)
        said = self.learner.labels if self.learner.labels is not None else known.shipped
        painted = self.painted != IGNORE_INDEX
        if self.run.method.places == "worst":
            return person.correct_worst(said, painted, setting.strokes)
        return person.correct_places(said, painted, self._places(setting.strokes))

    def _places(self, count: int) -> list[Window]:
        if self.run.method.places == "queue":
            options = RankingOptions(side=PLACE)
            ranked = rank_places(self.learner.store, self.corrections, count, options)
            return [place.window for place in ranked]
        rng = np.random.default_rng([self.run.seed, 7, len(self.rounds)])
        rows, cols = (side // PLACE for side in self.ground.image.shape)
        drawn = rng.choice(rows * cols, count, replace=False)
        return [Window(k // cols * PLACE, k % cols * PLACE, PLACE, PLACE) for k in drawn.tolist()]

    def _paint(self, correction: Correction) -> None:
        """Paint over what was there; what is not painted stays as it was."""
        labels = self.corrections.read(correction.window)
        new = correction.labels != IGNORE_INDEX
        self.corrections.write(correction.window, np.where(new, correction.labels, labels))

    def _scores(self, known: Known) -> dict[str, Any]:
        """mIoU of the untouched remainder: now, of the shipped model and of the domain's."""
        painted = self.painted
        truth = np.where(painted == IGNORE_INDEX, self.ground.truth, IGNORE_INDEX)
        said = self.learner.labels
        labels = known.shipped if said is None else said
        model = self.learner.model
        return {
            "painted": int((painted != IGNORE_INDEX).sum()),
            **{
                name: rounded(confusion_matrix(truth, said, known.classes))
                for name, said in (
                    ("remainder", labels),
                    ("shipped", known.shipped),
                    ("reference", known.reference),
                )
            },
            "base": None if model is None else self.base.scores(model),
        }

    def _keep(self, record: dict[str, Any]) -> None:
        """Put everything on disk that going on from here needs."""
        place = self.folder.state(self.run.key)
        self.learner.save(len(self.rounds) + 1)
        self.rounds.append(record)
        np.savez_compressed(place / f"painted-{len(self.rounds)}.npz", painted=self.painted)
        document = {
            "domain": self.run.domain,
            "method": self.run.method.name,
            "seed": self.run.seed,
            "rounds": self.rounds,
        }
        result = self.folder.result(self.run.key)
        scratch = result.with_suffix(".part")
        scratch.write_text(json.dumps(document, indent=1) + "\n")
        scratch.replace(result)


def _seconds(what: str, before: tuple[float, float]) -> dict[str, float]:
    return {
        f"{what}_seconds": round(perf_counter() - before[0], 2),
        f"{what}_cpu_seconds": round(process_time() - before[1], 2),
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
