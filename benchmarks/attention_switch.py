"""How long a switch of the attention in view takes, from the choice until it is drawn.

``xvfb-run -a -s "-screen 0 1920x1200x24" python -m benchmarks.attention_switch``

Predicts what is in view of the landscape of ``benchmarks.gui`` with
``landscape-vit-tiny``, at several zooms, shows one and both branches, and goes through
tokens, directions and blocks, each a quarter of a second after the last. *First* is the
first round, in which maps that were not read ahead come from disk; *again* the second.
*Drawing alone* is the same without a switch: the canvas drawn and read back, which is
part of each time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.gui import _machine, _make_landscape
from benchmarks.own_process import run_in_own_process

if TYPE_CHECKING:
    from napari_relay.widgets.panel import RelayPanel

MODEL = "landscape-vit-tiny"
ZOOMS = (8.0, 2.0)
"""How many times smaller than the whole image the view is."""
PACE = 0.25
"""Seconds between two switches."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="Where the landscape is made, and kept.")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmarks/results/attention-switch.json")
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        paths = _make_landscape(arguments.folder or Path(scratch))
        call = f"measure({[str(path) for path in paths]!r})"
        views = run_in_own_process(f"from benchmarks.attention_switch import measure; {call}")
    document = {"machine": _machine(), **views}
    arguments.output.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def measure(names: list[str]) -> None:
    """Switch in each view; print one line of JSON."""
    from benchmarks.heartbeat import run_loop, run_until
    from napari_relay.widgets.app import open_window

    panel = open_window()
    controller, opened = panel.controller, []
    controller.open_stack(tuple(map(Path, names)), lambda: opened.append(True))
    run_until(lambda: bool(opened), 600)
    controller.use_model(MODEL)
    run_loop(1)
    found = []
    for zoom in ZOOMS:
        controller.viewer.reset_view()
        controller.viewer.scene.camera.zoom *= zoom
        run_loop(1)
        controller.predict_view()
        run_until(lambda: not controller.jobs.running, 600)
        found += [{"zoom": zoom, **_switched(panel, both)} for both in (False, True)]
    controller.viewer.close()
    print(json.dumps({"views": found}))


def _switched(panel: RelayPanel, both: bool) -> dict[str, object]:
    """Two rounds with one branch or both in view."""
    from benchmarks.heartbeat import run_loop, run_until

    panel.attention.choose(["local", "global"] if both else ["local"], panel.attention.choice())
    layers = panel.controller.current.attention if panel.controller.current else None
    assert layers is not None
    run_until(lambda: not layers.reading)
    run_loop(2)
    shape = np.shape(layers.layer("local").data)
    rounds = {name: _milliseconds(panel) for name in ("first", "again")}
    alone = [_seconds(panel, lambda: None) for _ in range(10)]
    drawing = round(float(np.median(alone)) * 1000, 1)
    patches = [int(n) for n in shape]
    return {"branches": 1 + both, "patches": patches, "drawing_alone_ms": drawing, **rounds}


def _milliseconds(panel: RelayPanel) -> dict[str, float]:
    """Median and longest of a round of switches."""
    from benchmarks.heartbeat import run_loop

    section, took = panel.attention, []
    for direction in ("patch_to_relay", "relay_to_patch"):
        took.append(_seconds(panel, lambda d=direction: setattr(section.direction, "value", d)))
        for block in (1, section.blocks.maximum() // 2, section.blocks.maximum()):
            took.append(_seconds(panel, lambda b=block: section.blocks.setValue((b, b))))
            for token in (0, 1, 2):
                took.append(_seconds(panel, lambda t=token: setattr(section.token, "value", t)))
                run_loop(PACE)
    return {
        "switches": len(took),
        "median_ms": round(float(np.median(took)) * 1000, 1),
        "longest_ms": round(max(took) * 1000, 1),
    }


def _seconds(panel: RelayPanel, switch: Callable[[], object]) -> float:
    """From the choice until the canvas is drawn with the maps it asks for."""
    from benchmarks.heartbeat import run_until

    current = panel.controller.current
    assert current is not None
    start = time.perf_counter()
    switch()
    run_until(lambda: not current.attention.reading)
    # Draws what waits to be drawn, and comes back when it is on screen.
    panel.controller.viewer.screenshot(flash=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
