"""One part of the benchmark of context, in a process of its own.

``python -m benchmarks.context_run WORK land train 101`` writes a landscape,
``python -m benchmarks.context_run WORK run relay-0`` trains a model and scores it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch

from benchmarks.context_plan import Run, planned_runs
from benchmarks.context_work import WorkFolder
from benchmarks.unet import UNet, train_unet
from napari_relay.inference.report import WithReport
from napari_relay.landscapes import Landscape, write_landscape
from napari_relay.training import ModelOptions, TrainingData, dataset_data, train_model
from napari_relay.training.dataset_evaluation import (
    Evaluation,
    EvaluationOptions,
    evaluate_dataset,
)
from napari_relay.training.datasets import open_dataset
from napari_relay.training.datasets.dataset import SPLITS, Split
from napari_relay.training.run_folder import RunFolder
from napari_relay.training.runs import RUN, model_config
from relay_tokens import Checkpoint, ModelMetadata, UserError, load_checkpoint

BATCH = 64
"""Test windows in a forward pass."""


def main(arguments: list[str]) -> None:
    work, what, *rest = arguments
    folder = WorkFolder.load(Path(work))
    torch.set_num_threads(folder.setting.threads)
    if what == "land":
        split = next(split for split in SPLITS if split == rest[0])
        write_land(folder, split, int(rest[1]))
    else:
        write_result(folder, named_run(folder, rest[0]))


def write_land(folder: WorkFolder, split: Split, seed: int) -> None:
    """Write a landscape, anew where writing one was cut off."""
    if folder.is_written(split, seed):
        return
    land, side = folder.land(split, seed), folder.setting.side(split)
    shutil.rmtree(land, ignore_errors=True)
    for _ in write_landscape(Landscape(seed, (side, side), folder.setting.scale), land):
        pass


def named_run(folder: WorkFolder, key: str) -> Run:
    """The run with a key, whatever the number of ablation seeds."""
    every = planned_runs(folder.setting, len(folder.setting.model_seeds))
    return next(run for run in every if run.key == key)


def write_result(folder: WorkFolder, run: Run) -> None:
    """Train a model, score it on the test land, and write what came out."""
    checkpoint = trained(folder, run)
    parameters = sum(p.numel() for p in checkpoint.model.parameters())
    dataset = open_dataset(f"landscape:{folder.lands}")
    options = EvaluationOptions(
        batch_size=BATCH,
        device=folder.setting.device,
        context_windows=folder.setting.context_windows,
        shown=0,
    )
    evaluating = WithReport(evaluate_dataset(checkpoint, dataset, "test", options))
    for _ in evaluating:
        pass
    assert evaluating.report is not None
    document = {
        "group": run.group,
        "name": run.variant.name,
        "seed": run.seed,
        "params": parameters,
        **_training_record(checkpoint.metadata, folder.run(run) / "model"),
        **_scores(evaluating.report),
    }
    scratch = folder.result(run).with_suffix(".part")
    scratch.write_text(json.dumps(document, indent=2) + "\n")
    scratch.replace(folder.result(run))


def trained(folder: WorkFolder, run: Run) -> Checkpoint:
    """The run's model, trained now or on where it was, with its best weights."""
    setting, output = folder.setting, folder.run(run) / "model"
    data = dataset_data(open_dataset(f"landscape:{folder.lands}"), setting.crop_size, 0.0, run.seed)
    if run.variant.kind == "unet":
        return _trained_unet(folder, run, data, output)
    model, options = run.variant.model_options(setting), run.train_options(setting)
    for progress in train_model(data, output, model, options):
        if progress.scores is not None:
            print(progress.step, f"{progress.scores.miou:.4f}", flush=True)
    return load_checkpoint(output)


def _trained_unet(folder: WorkFolder, run: Run, data: TrainingData, output: Path) -> Checkpoint:
    setting, options = folder.setting, run.train_options(folder.setting)
    local = ModelOptions(
        backbone=setting.backbone, crop_size=setting.crop_size, context_factor=None
    )
    torch.manual_seed(run.seed)
    model = UNet(model_config(data, local), setting.unet_encoder, setting.unet_depth)
    metadata = _metadata(run.variant.name, data)
    for step in train_unet(model, metadata, data.images, options, output / RUN):
        if step % options.evaluate_every == 0:
            print(step, flush=True)
    return Checkpoint(model.as_segmenter(), metadata)


def _metadata(name: str, data: TrainingData) -> ModelMetadata:
    statistics = data.statistics()
    return ModelMetadata(
        name=name,
        classes=data.classes,
        bands=data.bands,
        mean=statistics.mean,
        std=statistics.std,
        normalization=data.normalization,
        pixel_size=data.pixel_size,
        unit=data.unit,
    )


def _training_record(metadata: ModelMetadata, output: Path) -> dict[str, object]:
    """Best step, its validation score and the seconds, of the last checkpoint."""
    state = RunFolder(output / RUN).load() or {}
    return {
        "best_step": metadata.training.get("steps", state.get("best_step")),
        "validation_miou": round(float(state["best_miou"]), 4),
        "seconds": round(float(state["seconds"])),
    }


def _scores(evaluation: Evaluation) -> dict[str, object]:
    scores, names = evaluation.scores, evaluation.model.classes.names
    effect = evaluation.context
    return {
        "miou": round(scores.miou, 4),
        "iou": {n: round(float(v), 4) for n, v in zip(names, scores.iou, strict=True)},
        "accuracy": round(scores.accuracy, 4),
        "calibration_error": round(scores.calibration_error, 4),
        "pixels": scores.pixels,
        "lands": {one.name: round(one.scores.miou, 4) for one in evaluation.images},
        "test_seconds": round(evaluation.seconds),
        "context": effect
        and {
            "windows": effect.examples,
            "changed": round(effect.changed, 4),
            "miou": round(effect.with_context.miou, 4),
            "miou_blank": round(effect.without.miou, 4),
        },
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
