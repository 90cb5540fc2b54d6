"""With which software, command and devices a training run was done."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_relay import __version__
from napari_relay.whole_file import write_whole

PACKAGES = ("torch", "timm", "lightning-fabric", "numpy")


@dataclass(frozen=True)
class RunRecord:
    """``run.json``: every start of the run, and its end.

    It is there to be read by a person. A run is resumed whatever it says, also
    when it is missing or damaged.
    """

    path: Path
    """Of the file."""

    @property
    def has_ended(self) -> bool:
        """Whether the run came to its end and was not taken up again."""
        return "end" in self._read()

    def start(self, step: int, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Write down that the run starts, or goes on after ``step`` steps.

        Parameters
        ----------
        step
            Steps that are done.
        facts
            Classes, seed, command, device.

        Returns
        -------
        tuple[str, ...]
            What a person should know: versions other than those of the last start.
        """
        document, now = self._read(), _versions()
        starts = document.get("starts", []) if step else []
        before = starts[-1].get("versions", {}) if starts else {}
        time = datetime.now(UTC).isoformat(timespec="seconds")
        starts = [*starts, {"time": time, "step": step, "versions": now, **facts}]
        write_whole(self.path, json.dumps({"starts": starts}, indent=2) + "\n")
        return _differences(before, now)

    def end(self, step: int, reason: str) -> None:
        """Write down that and why the run ended."""
        document = self._read() | {"end": {"step": step, "reason": reason}}
        write_whole(self.path, json.dumps(document, indent=2) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            well_formed = all(isinstance(start, dict) for start in document["starts"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return dict(document) if well_formed else {}


def _versions() -> dict[str, str]:
    found = {"napari-relay": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    other = [f"{k} {before[k]}, now {now[k]}" for k in before if k in now and before[k] != now[k]]
    if not other:
        return ()
    return (
        f"This run was trained with {'; '.join(other)}: its weights may differ from those of a "
        "run with one version.",
    )
