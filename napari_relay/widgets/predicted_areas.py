"""What was predicted already, as windows."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import numpy as np

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore


def predicted_areas(store: PredictionStore) -> list[Window]:
    """Level-0 windows around all finished tiles of a prediction, one a run of a row of tiles.

    Runs that lie right under each other and are equally wide are one window.
    """
    finished: dict[tuple[int, int], list[int]] = {}
    for row, done in enumerate(store.finished.tolist()):
        for is_done, run in groupby(enumerate(done), key=itemgetter(1)):
            if is_done:
                cols = [col for col, _ in run]
                finished.setdefault((cols[0], cols[-1]), []).append(row)
    return [
        _around(store, rows[0], rows[-1], *cols)
        for cols, all_rows in finished.items()
        for rows in np.split(all_rows, np.flatnonzero(np.diff(all_rows) > 1) + 1)
    ]


def _around(store: PredictionStore, top: int, bottom: int, left: int, right: int) -> Window:
    first, last = store.grid.tile(int(top), left), store.grid.tile(int(bottom), right)
    return Window(first.y0, first.x0, last.y1 - first.y0, last.x1 - first.x0)
