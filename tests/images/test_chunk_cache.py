from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.images.chunk_cache import Chunk, ChunkCache

WAIT = 10


class Decoder:
    """Decodes chunk ``k`` to eight bytes of value ``k``, and takes note of it."""

    def __init__(self) -> None:
        self.decoded: list[int] = []

    def __call__(self, keys: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
        for key in keys:
            self.decoded.append(key)
            yield key, np.full(8, key, np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=5), max_size=30))
def test_what_is_kept_is_the_last_used_and_within_the_bound(requests):
    cache, decoder, used = ChunkCache[int](32), Decoder(), []
    for keys in requests:
        kept = used[-4:]
        before = len(decoder.decoded)
        found = cache.fetch(keys, decoder)
        assert {k: set(v) for k, v in found.items()} == {k: {k} for k in keys}
        assert not set(decoder.decoded[before:]) & set(kept)
        hits = [k for k in keys if k in kept]
        recent = [*hits, *[k for k in keys if k not in kept]]
        used = [k for k in used if k not in recent] + recent
        assert cache.cached_bytes == 8 * min(len(used), 4)


def test_a_chunk_larger_than_a_quarter_is_handed_out_and_not_kept():
    cache, decoder = ChunkCache[int](31), Decoder()
    for _ in range(2):
        assert cache.fetch([3], decoder)[3] is not None
    assert decoder.decoded == [3, 3]
    assert cache.cached_bytes == 0


def test_two_threads_that_want_one_chunk_decode_it_once():
    cache, decoder = ChunkCache[int](), Decoder()
    started, go_on = threading.Event(), threading.Event()

    def slowly(keys: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
        started.set()
        assert go_on.wait(WAIT)
        yield from decoder(keys)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.fetch, [1], slowly)
        assert started.wait(WAIT)
        second = pool.submit(cache.fetch, [1, 2], decoder)
        while 2 not in decoder.decoded:
            pass
        go_on.set()
        assert first.result(WAIT)[1] is second.result(WAIT)[1]
    assert sorted(decoder.decoded) == [1, 2]


def test_different_chunks_are_decoded_in_parallel():
    cache, both = ChunkCache[int](), threading.Barrier(2, timeout=WAIT)

    def together(keys: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
        both.wait()
        yield from Decoder()(keys)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda key: cache.fetch([key], together), [1, 2]))
    assert [sorted(f) for f in found] == [[1], [2]]


def test_a_thread_that_waited_in_vain_decodes_the_chunk_itself():
    cache, decoder = ChunkCache[int](), Decoder()
    started, go_on = threading.Event(), threading.Event()

    def fail(keys: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
        started.set()
        assert go_on.wait(WAIT)
        raise OSError("away")
        yield

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.fetch, [1], fail)
        assert started.wait(WAIT)
        second = pool.submit(cache.fetch, [1, 2], decoder)
        while 2 not in decoder.decoded:
            pass
        go_on.set()
        with pytest.raises(OSError, match="away"):
            first.result(WAIT)
        assert second.result(WAIT)[1] is not None


def test_a_chunk_without_pixels_is_not_asked_for_again():
    cache, asked = ChunkCache[int](), []

    def empty(keys: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
        asked.extend(keys)
        yield from ((key, None) for key in keys)

    for _ in range(3):
        assert cache.fetch([1, 2], empty) == {1: None, 2: None}
    assert asked == [1, 2]
