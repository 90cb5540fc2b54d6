"""Lightning Fabric: devices, number formats and processes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from napari_relay.inference.devices import autocast_dtype, choose_device
from napari_relay.training.options import TrainOptions
from napari_relay.training.processes import Processes
from relay_tokens import UserError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

LOST = re.compile(r"gloo|nccl|peer|socket|TCPStore|Broken pipe", re.IGNORECASE)
"""In the messages of torch when another process of the group is gone."""


class LostProcessError(UserError):
    """Another process of the training ended."""


def new_fabric(options: TrainOptions, processes: Processes, has_unused: bool = False) -> Fabric:
    """Make the Fabric of this process, and join the others.

    Parameters
    ----------
    options
        Device and number format.
    processes
        Who trains together.
    has_unused
        Whether the model has parameters that its loss does not depend on.

    Raises
    ------
    UserError
        When Lightning Fabric is not installed, or a device is not there.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UserError(
            "Training needs Lightning Fabric; run: pip install 'napari-relay[train]'"
        ) from error
    device = choose_device(options.device)
    formats = {None: "32-true", torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed"}
    precision: Any = formats[autocast_dtype(device, options.precision)]
    if processes.count == 1:
        devices = [device.index or 0] if device.type == "cuda" else 1
        return Fabric(accelerator=device.type, devices=devices, precision=precision)
    _check_devices(device, processes)
    fabric = Fabric(
        accelerator=device.type,
        devices=processes.on_machine,
        num_nodes=processes.machines,
        strategy=_strategy(has_unused),
        precision=precision,
    )
    _launch(fabric)
    return fabric


@contextmanager
def naming_lost_processes(processes: Processes) -> Iterator[None]:
    """Turn what torch says when another process is gone into one sentence.

    Raises
    ------
    LostProcessError
        When that happens in the block.
    """
    try:
        yield
    except RuntimeError as error:
        if processes.count == 1 or not LOST.search(str(error)):
            raise
        raise LostProcessError(
            "Another process of this training ended; run the same command again: it goes on from "
            "its last checkpoint."
        ) from error


def leave(processes: Processes) -> None:
    """Leave the group of processes."""
    if processes.count > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _check_devices(device: torch.device, processes: Processes) -> None:
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(device.type, processes.on_machine)
    if device.index is not None or processes.on_machine > there:
        raise UserError(
            f"{processes.on_machine} processes cannot share the device {device}; there are {there} "
            f"of its kind: choose as many devices at most, and name none by its number."
        )


def _strategy(has_unused: bool) -> DDPStrategy:
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    return DDPStrategy(
        cluster_environment=TorchElasticEnvironment(), find_unused_parameters=has_unused
    )


def _launch(fabric: Fabric) -> None:
    """Join the others, without Fabric's banner on the standard error stream."""
    logger = logging.getLogger("lightning_fabric")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        fabric.launch()
    finally:
        logger.setLevel(level)
