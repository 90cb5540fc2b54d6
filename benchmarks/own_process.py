"""Measurements in a process of their own, whose memory nothing else has touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile


def run_in_own_process(code: str) -> dict[str, object]:
    """Run Python code with empty cache and data folders.

    Returns
    -------
    dict
        The JSON object that it printed last.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "NAPARI_RELAY_HOME": home}
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result
