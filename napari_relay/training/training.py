"""Training a model on labelled images."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from napari_relay.inference.lock import WriteLock
from napari_relay.training.examples import Batch, Example
from napari_relay.training.fabric import leave, naming_lost_processes
from napari_relay.training.held_out import held_out_examples
from napari_relay.training.labelled_image import ExampleReaders, LabelledImage
from napari_relay.training.options import TrainOptions
from napari_relay.training.processes import Processes
from napari_relay.training.progress import TrainLoss, TrainProgress
from napari_relay.training.run_folder import RunFolder
from napari_relay.training.sampling import CropSampler
from napari_relay.training.training_run import TrainingRun, settings_of
from relay_tokens import ModelMetadata, RelaySegmenter

__all__ = ["TrainLoss", "TrainProgress", "train"]


def train(
    model: RelaySegmenter,
    metadata: ModelMetadata,
    images: Sequence[LabelledImage],
    options: TrainOptions,
    checkpoint_folder: Path,
) -> Iterator[TrainProgress]:
    """Train a model step by step; a stopped run goes on where it was.

    On a CPU, a run that was killed and resumed ends with the weights, to the bit,
    of one that was not. Under torchrun, or ``napari-relay train --devices``, each
    process calls this with the same arguments and learns from its share of every
    batch.

    Parameters
    ----------
    model
        Trained in place. At the end it has the weights of the best evaluation.
    metadata
        Classes and normalisation.
    images
        What is learnt, and which windows of it are measured on.
    options
        How long and how.
    checkpoint_folder
        The run folder (see :mod:`napari_relay.training.run_folder`). The best
        model, with a record of the training, is in its folder ``best``.

    Yields
    ------
    TrainProgress
        After every step, in every process.

    Raises
    ------
    UserError
        When the extra ``train`` is missing, the folder holds another run or is
        being trained in, or another process of this training ended.
    """
    processes, folder = Processes.here(), RunFolder(Path(checkpoint_folder))
    processes.check(options)
    with ExitStack() as stack:
        if processes.is_first:
            folder.make()
            stack.enter_context(WriteLock(folder.path, folder.path).held())
            folder.open(settings_of(model, options))
        stack.callback(leave, processes)
        stack.enter_context(naming_lost_processes(processes))
        readers = ExampleReaders(images, model.config, metadata)
        sampler = CropSampler(readers, options)
        held_out = _held_out(readers, options, processes)
        run = TrainingRun(model, metadata, options, folder, processes)
        stack.enter_context(closing(run))
        yield from _steps(run, sampler, held_out)
        run.finish(held_out)


def _held_out(
    readers: ExampleReaders, options: TrainOptions, processes: Processes
) -> list[Example]:
    """What is measured on; the first process alone measures."""
    if not processes.is_first:
        return []
    return held_out_examples(readers, options.validation_crops, options.seed)


def _steps(
    run: TrainingRun, sampler: CropSampler, held_out: list[Example]
) -> Generator[TrainProgress]:
    """Do all steps that are left; saves the run when it is stopped between two."""
    if run.is_over:
        return
    with closing(_batches(sampler, run.options, run.processes, run.step)) as batches:
        try:
            for batch in batches:
                yield run.advance(batch, held_out)
                if run.is_over:
                    return
        except GeneratorExit:
            run.save()
            raise


def _batches(
    sampler: CropSampler, options: TrainOptions, processes: Processes, first: int
) -> Generator[Batch]:
    """Batches ``first`` to the last; the next one is read while one is used."""
    share = processes.share(options.batch_size)
    with ThreadPoolExecutor(1, thread_name_prefix="training-batches") as pool:
        ahead: Future[Batch] | None = None
        for number in range(first, options.steps):
            ready = ahead or pool.submit(sampler.batch, number, options.batch_size, share)
            ahead = None
            if number + 1 < options.steps:
                ahead = pool.submit(sampler.batch, number + 1, options.batch_size, share)
            yield ready.result()
