from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from napari_relay.landscapes.drawn_once import drawn_once


class Picture:
    def __init__(self, meet: Barrier) -> None:
        self.meet = meet
        self.drawings = 0

    @drawn_once
    def pixels(self) -> list[int]:
        """Some pixels."""
        self.drawings += 1
        self.meet.wait(timeout=20)
        return [1, 2]


def test_it_is_drawn_once():
    picture = Picture(Barrier(1))
    assert picture.pixels is picture.pixels
    assert (picture.pixels, picture.drawings) == ([1, 2], 1)


def test_threads_draw_different_pictures_at_the_same_time():
    meet = Barrier(2)  # each drawing ends only when the other has begun
    with ThreadPoolExecutor(2) as threads:
        drawn = list(threads.map(lambda _: Picture(meet).pixels, range(2)))
    assert drawn == [[1, 2], [1, 2]]
