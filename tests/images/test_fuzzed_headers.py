"""Damaged first bytes of every family: an image or one sentence, soon, and never a crash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images import open_image
from relay_tokens import UserError
from tests.images.tiny_files import FAMILIES

HEADER = 2000
"""First bytes of a file that are damaged."""
SECONDS = 20.0
"""Time for one file, on a busy machine."""
BLOCKS = 40
"""Blocks of missing levels after which a person would have stopped the build."""

Edit = tuple[str, float, int]


class StoppedError(Exception):
    """Stands for a person who stops the building of levels that a header asks for."""


edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "remove", "cut"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=4,
)


def edited(content: bytes, changes: list[Edit]) -> bytes:
    """The content with each change made somewhere in its first bytes."""
    made = bytearray(content)
    for kind, share, value in changes:
        at = int(share * min(len(made), HEADER))
        if kind == "flip" and made:
            made[at] ^= 1 << value % 8
        elif kind == "set" and made:
            made[at] = value
        elif kind == "insert":
            made[at:at] = bytes([value]) * (1 + value % 4)
        elif kind == "remove":
            del made[at : at + 1 + value % 4]
        elif kind == "cut" and value < 64:
            del made[at:]
    return bytes(made)


def stop_soon(done: int, total: int) -> None:
    if done > BLOCKS:
        raise StoppedError


def use(path: Path) -> None:
    """Open, read the coarsest level and a window of the finest one."""
    image = open_image(path, progress=stop_soon)
    level = image.levels[-1].shape
    side = [min(size, 100) * image.factors[-1] for size in level[:2]]
    image.read(Window(0, 0, round(side[0]), round(side[1])), len(image.levels) - 1)
    image.read(Window(10, 10, 60, 60))
    repr((image.pixel_size, image.crs, image.affine, image.nodata, image.notes))


def said_of(path: Path) -> str | None:
    """What a person is told when the file is used, or None when it works."""
    try:
        use(path)
    except StoppedError:
        return None
    except UserError as error:
        return str(error)
    return None


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request, tmp_path_factory) -> tuple[Path, Path, bytes]:
    """The file that is opened, the one that is damaged, and what that holds."""
    name, write, other = FAMILIES[request.param]
    folder = tmp_path_factory.mktemp("tiny")
    write(folder / name)
    damaged = folder / (other or name)
    return folder / name, damaged, damaged.read_bytes()


# rasterio cannot log a message of GDAL that quotes bytes which are no text.
@pytest.mark.filterwarnings("ignore:.*rasterio._env.log_error")
@pytest.mark.qt_no_exception_capture
@settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=edits)
def test_a_damaged_header_gives_an_image_or_one_sentence(tiny, changes):
    path, damaged, content = tiny
    damaged.write_bytes(edited(content, changes))
    start = time.monotonic()
    message = said_of(path)
    assert time.monotonic() - start < SECONDS
    if message is not None:
        assert "\n" not in message
        assert path.name in message
        assert message.endswith(".")


def test_every_family_opens_undamaged(tiny):
    path, damaged, content = tiny
    damaged.write_bytes(content)
    use(path)
