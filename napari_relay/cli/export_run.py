"""One export under a bar; Ctrl-C ends it between two steps, and nothing is left half-written."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol, cast

from napari_relay.cli.interrupting import between_steps
from napari_relay.cli.progress import step_bar
from napari_relay.exporting.formats import ExportFormat, ExportRequest
from napari_relay.images import PyramidImage
from napari_relay.inference import PredictionStore


class _Closable(Protocol):
    """What every export is, a generator."""

    def close(self) -> None:
        """Give it up."""


def run_export(
    one: ExportFormat,
    store: PredictionStore,
    image: PyramidImage,
    path: Path,
    request: ExportRequest,
) -> None:
    """Write an export.

    Raises
    ------
    UserError
        As the format's own.
    KeyboardInterrupt
        After Ctrl-C; nothing is left behind.
    """
    steps = one.run(store, image, path, request)
    with ExitStack() as stack:
        stack.enter_context(closing(cast(_Closable, steps)))
        wish = stack.enter_context(between_steps())
        bar = stack.enter_context(step_bar(f"Writing {path.name}", "parts"))
        for step in steps:
            bar.show(step.done, step.total)
            wish.check()
