from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from napari_relay.inference import PredictionStore
from relay_tokens import UserError

from .tiles import (
    assert_pattern_where_finished,
    hold,
    pattern_store,
    pattern_tile,
    write_until_killed,
)


@contextmanager
def running(
    processes: BaseContext, target: Callable[..., None], *args: object
) -> Iterator[BaseProcess]:
    process = processes.Process(target=target, args=args)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def test_a_second_process_is_told_who_writes_and_the_lock_ends_with_its_process(
    tmp_path: Path, processes: BaseContext
) -> None:
    store = pattern_store(tmp_path / "s", 100, 100)
    has_begun, may_end = processes.Event(), processes.Event()
    with running(processes, hold, store.folder, has_begun, may_end) as process:
        assert has_begun.wait(60)
        words = rf"s is being written by another process \(pid {process.pid}\); wait"
        with pytest.raises(UserError, match=words):
            store.write([pattern_tile(store, (0, 0))])
        with pytest.raises(UserError, match=words), store.writing():
            pass
        assert not PredictionStore.open(store.folder).finished.any()
        process.kill()
        process.join()
        store.write([pattern_tile(store, (0, 0))])
    assert store.finished[0, 0]


def test_a_second_store_object_is_told_and_threads_of_one_share_it(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 100, 100)
    other = PredictionStore.open(store.folder)
    with store.writing():
        with pytest.raises(UserError, match="being written"):
            other.mark_skipped([(0, 0)])
        thread = threading.Thread(target=store.write, args=([pattern_tile(store, (1, 1))],))
        thread.start()
        thread.join()
        assert store.finished[1, 1]
        with pytest.raises(UserError, match="being written"):
            other.mark_skipped([(0, 0)])
    other.mark_skipped([(0, 0)])


def test_what_another_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    mine = pattern_store(tmp_path / "s", 300, 5000)
    mine.write([pattern_tile(mine, (0, 0))])
    other = PredictionStore.open(mine.folder)
    other.write([pattern_tile(other, (0, 1)), pattern_tile(other, (2, 40))])
    mine.write([pattern_tile(mine, (1, 0))])
    assert mine.finished.sum() == 4
    assert_pattern_where_finished(mine)
    assert_pattern_where_finished(PredictionStore.open(mine.folder))


def test_a_killed_writer_leaves_a_store_that_is_right_and_can_be_gone_on_with(
    tmp_path: Path, processes: BaseContext
) -> None:
    rng = np.random.default_rng()
    store = pattern_store(tmp_path / "s", 700, 4500)
    counts = [0]
    for seed in range(10):
        has_begun = processes.Event()
        with running(processes, write_until_killed, store.folder, seed, has_begun) as process:
            assert has_begun.wait(60)
            process.join(rng.uniform(0, 0.4))
        found = PredictionStore.open(store.folder)
        assert_pattern_where_finished(found, untouched=False)
        counts.append(int(found.finished.sum()))
    assert counts == sorted(counts)
    assert counts[-1] > 0
    with found.writing():
        assert not list(store.folder.rglob("*.partial"))
        found.write(pattern_tile(found, (i, j)) for i, j in np.argwhere(~found.finished).tolist())
    assert found.finished.all()
    assert_pattern_where_finished(PredictionStore.open(store.folder))
