from __future__ import annotations

import csv
from pathlib import Path

import pytest

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.correction_log import COLUMNS, CorrectionLog
from napari_relay.geometry import Window
from relay_tokens import UserError

NAMES = {0: "background", 1: "tissue", 254: "ignored"}


def test_every_step_is_kept_with_who_when_which_model_and_which_tool(tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path)
    log.person, log.model = "Ada", "colors · version 2"
    number = log.add("lasso", Window(1, 2, 30, 40), {1: 17, 254: 3}, NAMES)
    assert log.flush() == 2
    one, other = CorrectionLog(tmp_path).corrections()
    assert (one.step, one.person, one.model, one.tool) == (
        number, "Ada", "colors · version 2", "lasso",
    )  # fmt: skip
    assert (one.value, one.says, one.window, one.pixels) == (1, "tissue", (1, 2, 30, 40), 17)
    assert (other.step, other.says, other.pixels) == (number, "ignored", 3)
    assert one.time.endswith("+00:00")
    assert not one.undone


def test_taking_back_adds_a_mark_and_making_again_another(tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path)
    first = log.add("brush", Window(0, 0, 1, 1), {0: 1}, NAMES)
    second = log.add("brush", Window(0, 0, 1, 1), {1: 1}, NAMES)
    log.mark(first, undone=True)
    log.mark(second, undone=True)
    log.mark(second, undone=False)
    log.flush()
    assert [c.undone for c in log.corrections()] == [True, False]


def test_numbers_go_on_after_opening_again(tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path)
    first = log.add("brush", Window(0, 0, 1, 1), {0: 1}, NAMES)
    log.flush()
    assert CorrectionLog(tmp_path).add("brush", Window(0, 0, 1, 1), {0: 1}, NAMES) == first + 1


def test_the_table_is_exported_as_csv(tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path)
    log.add("import, masks", Window(5, 6, 7, 8), {0: 9}, {0: "soil; dry"})
    assert log.export_csv(tmp_path / "table.csv") == 1
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert dict(zip(header, row, strict=True))["says"] == "soil; dry"
    assert row[7:12] == ["5", "6", "7", "8", "9"]
    with pytest.raises(UserError, match="cannot be written"):
        log.export_csv(tmp_path / "missing" / "table.csv")


def test_what_cannot_be_written_waits_in_memory(tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path / "later")
    log.add("brush", Window(0, 0, 1, 1), {0: 1}, NAMES)
    with pytest.raises(UserError, match="free some space"):
        log.flush()
    assert log.dirty
    (tmp_path / "later").mkdir()
    assert log.flush() == 1
    assert not log.dirty
    assert len(log.corrections()) == 1


def test_the_store_writes_its_log_when_it_is_flushed(store: CorrectionStore) -> None:
    store.log.add("brush", Window(0, 0, 1, 1), {0: 1}, NAMES)
    assert store.dirty
    store.flush()
    assert not store.dirty
    assert (store.folder / "log.sqlite").stat().st_size
    assert len(CorrectionStore.open(store.folder).log.corrections()) == 1
