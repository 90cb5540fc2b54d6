from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext

import pytest


@pytest.fixture(scope="session")
def processes() -> BaseContext:
    """Processes that need not import torch anew, where the system has them."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_relay.inference"])
    return context
