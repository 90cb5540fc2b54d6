"""The folder in which the benchmark of correcting works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.interactive_domain import Domain, Ground, kept_ground
from benchmarks.interactive_setting import Setting
from relay_tokens import UserError

SETTING = "setting.json"


@dataclass(frozen=True)
class WorkFolder:
    """Where a benchmark keeps images, models and runs, so that it can be resumed.

    ::

        setting.json               what is run here; other settings are refused
        images/NAME.npz            an image and its truth
        references/DOMAIN/         the model that was trained on the domain
        known/DOMAIN-SEED.npz      what the shipped model and that one predict
        runs/KEY.json              the rounds of a run, rewritten after each
        runs/KEY/                  what a run needs to go on
        logs/                      what the processes said
        jobs                       optional, read again and again: runs at a time
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

    def ground(self, domain: Domain, seed: int) -> Ground:
        """The image of a seed."""
        side = self.setting.sides[domain.name]
        return kept_ground(domain, seed, side, self.path / "images")

    def reference(self, domain: str) -> Path:
        """Folder of the model that was trained on a domain."""
        return self.path / "references" / domain

    def known(self, domain: str, seed: int) -> Path:
        """What the shipped model and that of the domain predict of an image."""
        return self.path / "known" / f"{domain}-{seed}.npz"

    def log(self, name: str) -> Path:
        """What a process says."""
        return self.path / "logs" / f"{name}.txt"

    def result(self, key: str) -> Path:
        """The rounds of a run so far."""
        return self.path / "runs" / f"{key}.json"

    def state(self, key: str) -> Path:
        """Folder of what a run needs to go on."""
        return self.path / "runs" / key
