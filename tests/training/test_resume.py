"""A run that is killed at any moment ends, to the byte, as one that was not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from napari_relay.training.run_folder import RunFolder
from relay_tokens import UserError, load_checkpoint
from tests.training.scenes import METADATA
from tests.training.tiny_run import OPTIONS, small_model, start, steps, weights


@contextmanager
def kept_at_each_change(run: Path, kept: Path) -> Iterator[None]:
    """Copy the run folder before each file in it gets its name: what a kill there leaves."""
    real = {name: getattr(os, name) for name in ("rename", "replace")}

    def copying(name: str) -> object:
        def change(source: str | Path, target: str | Path, **more: int) -> None:
            if run in Path(target).parents:
                shutil.copytree(run, kept / f"{len(list(kept.iterdir())):02d}")
            real[name](source, target, **more)

        return change

    kept.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(os, name, copying(name))
        yield


def test_a_run_that_is_killed_before_any_of_its_changes_ends_the_same(tmp_path: Path) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    with kept_at_each_change(run, kept):
        list(start(run))
    wanted, killed = weights(run), sorted(kept.iterdir())
    # Settings, record, three checkpoints, up to three best models of two files and a folder.
    assert len(killed) >= 9
    assert any((folder / "best.old").exists() for folder in killed)
    assert any(
        (folder / "best").exists() and not (folder / "last.pt").exists() for folder in killed
    )
    for folder in killed:
        list(start(folder))
        assert weights(folder) == wanted, folder
        assert steps(folder / "log.csv") == [1, 2, 3, 4, 5, 6], folder
        assert not [f for f in folder.rglob("*") if f.suffix in (".old", ".new", ".part")], folder


def test_what_a_model_draws_by_chance_is_drawn_again(tmp_path: Path) -> None:
    dropping = {"drop_path_rate": 0.5, "proj_drop_rate": 0.3}
    list(start(tmp_path / "whole", model=small_model(**dropping)))
    run = start(tmp_path / "parts", model=small_model(**dropping))
    for _ in range(3):
        next(run)
    run.close()
    list(start(tmp_path / "parts", model=small_model(**dropping)))
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")


def test_half_written_settings_are_written_anew(tmp_path: Path) -> None:
    list(start(tmp_path / "whole"))
    run = start(tmp_path / "run")
    for _ in range(3):
        next(run)
    run.close()
    file = tmp_path / "run" / "options.json"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert [p.step for p in start(tmp_path / "run")] == [4, 5, 6]
    assert file.read_bytes() == whole
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_half_written_settings_do_not_let_another_run_in(tmp_path: Path) -> None:
    run = start(tmp_path)
    next(run)
    run.close()
    (tmp_path / "options.json").write_text("{")
    with pytest.raises(UserError, match="other settings"):
        next(start(tmp_path, replace(OPTIONS, seed=1)))


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    run = start(tmp_path)
    next(run)
    with pytest.raises(UserError, match="another process"):
        next(start(tmp_path))
    assert [p.step for p in run] == [2, 3, 4, 5, 6]


def test_a_run_may_go_on_on_another_device_and_in_another_number_format(tmp_path: Path) -> None:
    run = start(tmp_path)
    next(run)
    run.close()
    changed = replace(OPTIONS, device="auto", precision="float32", save_every=1)
    assert next(start(tmp_path, changed)).step == 2


def test_there_is_always_a_whole_best_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model = RunFolder(tmp_path), small_model()
    folder.save_best(model, METADATA)
    rename = Path.rename

    def refuse_the_new(source: Path, target: Path) -> Path:
        if source.name == "best.new":
            raise OSError("no room")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(OSError, match="no room"):
        folder.save_best(model, replace(METADATA, name="second"))
    monkeypatch.undo()
    folder.open({})
    assert load_checkpoint(folder.best).metadata.name == METADATA.name
