"""The folder in which the benchmark of context works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.context_plan import Run
from benchmarks.context_setting import Setting
from napari_relay.training.datasets import Split
from relay_tokens import UserError

SETTING = "setting.json"


@dataclass(frozen=True)
class WorkFolder:
    """Where a benchmark keeps landscapes and runs, so that it can be resumed.

    ::

        setting.json            what is run here; other settings are refused
        lands/SPLIT/SEED/       a landscape
        runs/KEY/result.json    scores of a finished run
        runs/KEY/model/         its model
        runs/KEY/log.txt        what it said
        jobs                    optional, read again and again: runs at a time
    """

    path: Path
    """The folder."""
    setting: Setting
    """What is run in it."""

    @classmethod
    def open(cls, path: Path, setting: Setting) -> WorkFolder:
        """Make the folder, or make sure that it holds the same setting.

        Raises
        ------
        UserError
            When it holds another one.
        """
        path.mkdir(parents=True, exist_ok=True)
        file = path / SETTING
        if not file.exists():
            file.write_text(setting.to_json())
        if file.read_text() != setting.to_json():
            raise UserError(f"{path} holds runs of another setting; name another --work folder.")
        return cls(path, setting)

    @classmethod
    def load(cls, path: Path) -> WorkFolder:
        """Open a folder that is there, with its setting."""
        return cls(path, Setting.from_json((path / SETTING).read_text()))

    @property
    def lands(self) -> Path:
        """Folder of all landscapes: a dataset of kind ``landscape``."""
        return self.path / "lands"

    def land(self, split: Split, seed: int) -> Path:
        """Folder of one landscape."""
        return self.lands / split / str(seed)

    def is_written(self, split: Split, seed: int) -> bool:
        """Whether a landscape is whole: the labels get their name last."""
        return (self.land(split, seed) / "labels.tif").exists()

    def run(self, run: Run) -> Path:
        """Folder of one run."""
        return self.path / "runs" / run.key

    def result(self, run: Run) -> Path:
        """Scores of one run."""
        return self.run(run) / "result.json"
