from __future__ import annotations

import threading
import time

import numpy as np

from napari_relay.annotation import Autosaver, CorrectionStore
from napari_relay.geometry import Window
from relay_tokens import UserError


def fail(error: UserError) -> None:
    raise AssertionError(error)


def wait_until(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_stroke_is_on_disk_within_two_seconds(store: CorrectionStore) -> None:
    with Autosaver(store.flush, fail):
        store.write(Window(5, 5, 3, 3), np.ones((3, 3), np.uint8))
        assert wait_until(lambda: not store.dirty, 2)
        assert CorrectionStore.open(store.folder).class_counts()[1] == 9


def test_stopping_saves_a_last_time_and_ends_the_thread(store: CorrectionStore) -> None:
    saver = Autosaver(store.flush, fail, interval=60)
    saver.start()
    store.write(Window(5, 5, 3, 3), np.ones((3, 3), np.uint8))
    saver.stop()
    saver.stop()
    assert not saver.running
    assert not store.dirty


def test_a_failure_is_told_once_and_saving_goes_on() -> None:
    told: list[UserError] = []
    attempts = threading.Semaphore(0)
    broken = threading.Event()
    broken.set()

    def save() -> None:
        attempts.release()
        if broken.is_set():
            raise UserError("the disk is full")

    with Autosaver(save, told.append, interval=0.01):
        for _ in range(5):
            assert attempts.acquire(timeout=5)
        assert len(told) == 1
        broken.clear()
        for _ in range(3):
            assert attempts.acquire(timeout=5)
        broken.set()
        assert wait_until(lambda: len(told) == 2, 5)
