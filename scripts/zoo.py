"""Make the shipped models anew: data, training, the single-scale baseline, scores, cards.

``make zoo`` runs it; ``scripts/zoo.py landscape-vit-tiny`` makes one of them. What is done
already in the working folder (``runs/zoo``) is kept, and a stopped training goes on. Every step
is a command of ``napari-relay`` that could be typed in that folder.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from napari_relay.inference import WithReport
from napari_relay.samples import sample_slide
from napari_relay.training.dataset_evaluation import evaluate_dataset
from napari_relay.training.datasets import open_dataset
from napari_relay.training.runs import save_with_card
from napari_relay.training.training_run import rounded_scores
from relay_tokens import Checkpoint, load_checkpoint

ZOO = Path(__file__).parents[1] / "models" / "relay_tokens" / "zoo"
LANDSCAPES = {
    "data/train/11": 8192,
    "data/train/12": 8192,
    "data/val/21": 4096,
    "data/test/31": 4096,
    "data/test/32": 4096,
}
"""Folder and side of the landscapes of models; the folder's name is the seed."""
LANDSCAPE_SCALE = 0.5
"""At which local crops of 64 px show nothing that decides a class."""
LANDSCAPE_TRAINING = (
    "--data landscape:data --crop-size 64 --batch-size 24 --schedule cosine --scale-jitter 1 "
    "--color-jitter 0.1 --evaluate-every 250 --validation-crops 600"
)
SYNTHETIC = (
    "Trained on synthetic landscapes alone: it shows what relay tokens do and how the app works. "
    "On real terrain its scores are unknown; fine-tune it, or train on Archaeoscape."
)


@dataclass(frozen=True)
class Recipe:
    """How a model of the zoo is made."""

    training: str
    """Options of ``napari-relay train``."""
    test: str = ""
    """The dataset whose split ``test`` it is scored on; empty: its held-out blocks alone."""
    limits: str = "On images from elsewhere its scores are unknown."
    """For the card."""


RECIPES = {
    "landscape-vit-tiny": Recipe(
        f"{LANDSCAPE_TRAINING} --steps 2000 --backbone-options "
        """'{"patch_size": 8, "embed_dim": 128, "depth": 6, "num_heads": 4}'""",
        "landscape:data",
        SYNTHETIC,
    ),
    "landscape-swinv2-tiny": Recipe(
        f"{LANDSCAPE_TRAINING} --steps 1500 --backbone swinv2_tiny_window8_256 --backbone-options "
        """'{"embed_dim": 48, "depths": [2, 2, 4], "num_heads": [2, 4, 8]}'""",
        "landscape:data",
        SYNTHETIC,
    ),
    "tissue-vit-tiny": Recipe(
        f"data/{sample_slide().name} --labels stain --crop-size 128 --steps 1500 --schedule cosine "
        """--scale-jitter 1 --backbone-options '{"depth": 6, "patch_size": 8}'""",
    ),
}


def main() -> None:
    """Make the models that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--work", type=Path, default=Path("runs/zoo"), help="working folder")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or RECIPES:
        make(name, RECIPES[name], arguments.work)


def make(name: str, recipe: Recipe, work: Path) -> None:
    """Train a model and its baseline, score both and put the model into the zoo."""
    write_data(recipe, work)
    model = trained(name, recipe, work, baseline=False)
    baseline = trained(name, recipe, work, baseline=True)
    record: dict[str, Any] = {
        **model.metadata.training,
        "baseline": {"held_out": baseline.metadata.training["held_out"]},
        "limits": recipe.limits,
        "repeat": f"`make zoo`, or `scripts/zoo.py {name}`",
    }
    if recipe.test:
        record["test"] = tested(model, recipe.test, work)
        record["baseline"]["test"] = tested(baseline, recipe.test, work)
    described = replace(model.metadata, training=record)
    save_with_card(ZOO / name, replace(model, metadata=described))
    Console().print(f"Wrote {ZOO / name}")


def write_data(recipe: Recipe, work: Path) -> None:
    """Write the landscapes that are not there yet, or put the slide there."""
    if not recipe.test:
        (work / "data").mkdir(exist_ok=True)
        shutil.copy(sample_slide(), work / "data")
        return
    scale = ["--scale", str(LANDSCAPE_SCALE)]
    for folder, size in LANDSCAPES.items():
        if not (work / folder / "labels.tif").exists():
            seed = Path(folder).name
            napari_relay(work, "landscape", folder, "--size", str(size), "--seed", seed, *scale)


def trained(name: str, recipe: Recipe, work: Path, baseline: bool) -> Checkpoint:
    """Train a model, or go on with it, or take what is there."""
    folder = f"runs/{name}-local" if baseline else f"runs/{name}"
    if not (work / folder / "model.safetensors").exists():
        words = shlex.split(recipe.training)
        more = ["--baseline", "local"] if baseline else []
        napari_relay(work, "train", *words, *more, "--name", name, "-o", folder)
    return load_checkpoint(work / folder)


def tested(checkpoint: Checkpoint, dataset: str, work: Path) -> dict[str, Any]:
    """Scores over all windows of the split ``test``."""
    kind, folder = dataset.split(":")
    opened = open_dataset(f"{kind}:{work / folder}")
    with closing(WithReport(evaluate_dataset(checkpoint, opened, "test"))) as progress:
        for _ in progress:
            pass
    scores = progress.report.scores
    return {**rounded_scores(scores, checkpoint.metadata), "data": progress.report.data}


def napari_relay(work: Path, *words: str) -> None:
    """Run a command in the working folder; its failure ends everything."""
    command = shutil.which("napari-relay", path=str(Path(sys.executable).parent))
    subprocess.run([command or "napari-relay", *words], cwd=work, check=True)


if __name__ == "__main__":
    main()
