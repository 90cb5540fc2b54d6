"""A random forest, as pixel classifiers with features have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 32
"""Steps into which each feature is cut, by quantiles of what is learnt."""
DEPTH = 16
"""Questions on the way to a leaf, at most."""
LEAST = 4
"""Examples that a node must hold to be divided."""

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Tree:
    """Nodes in the order in which they were made; the root first."""

    feature: NDArray[np.int32]
    """``(node,)`` which feature is asked for; -1 in a leaf."""
    above: NDArray[np.uint8]
    """``(node,)`` the last bin of those that go to the first child."""
    child: NDArray[np.int32]
    """``(node,)`` the first child; the second one follows it."""
    share: NDArray[np.float32]
    """``(node, class)`` of the examples that came here."""

    def vote(self, bins: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Shares ``(example, class)`` of the leaves that examples reach."""
        node = np.zeros(len(bins), np.int32)
        moving = np.arange(len(bins))
        while len(moving):
            here = node[moving]
            moving, here = moving[self.feature[here] >= 0], here[self.feature[here] >= 0]
            right = bins[moving, self.feature[here]] > self.above[here]
            node[moving] = self.child[here] + right
        return self.share[node]


class Forest:
    """Breiman's random forest (2001): bootstraps, and √F features asked at each node.

    Features are cut into 32 bins by quantiles. Classes weigh the same, whatever
    their number of examples.

    Parameters
    ----------
    features
        ``(example, feature)``.
    classes
        ``(example,)`` 0 ... ``count - 1``.
    count
        Number of classes.
    trees
        How many.
    seed
        Of bootstraps and features.
    """

    def __init__(
        self, features: Features, classes: NDArray[np.uint8], count: int, trees: int, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, 8])
        self.edges = np.quantile(features, np.arange(1, BINS) / BINS, axis=0).astype(np.float32)
        bins, present = self._binned(features), np.bincount(classes, minlength=count)
        weight = np.where(present > 0, len(classes) / np.maximum(present, 1), 0)
        self.trees = [self._grown(bins, classes, weight, rng) for _ in range(trees)]

    def predict(self, features: Features) -> NDArray[np.uint8]:
        """Most voted class ``(example,)``."""
        bins = self._binned(features)
        votes = sum(tree.vote(bins) for tree in self.trees)
        return np.asarray(votes).argmax(axis=1).astype(np.uint8)

    def _binned(self, features: Features) -> NDArray[np.uint8]:
        bins = np.empty(features.shape, np.uint8)
        for k in range(features.shape[1]):
            bins[:, k] = np.searchsorted(self.edges[:, k], features[:, k])
        return bins

    def _grown(
        self,
        bins: NDArray[np.uint8],
        classes: NDArray[np.uint8],
        weight: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> _Tree:
        """Grow a tree on a bootstrap, node by node."""
        rows: list[tuple[int, int, int, NDArray[np.float64]]] = []
        waiting = [(rng.integers(len(bins), size=len(bins)), 0)]
        for examples, depth in waiting:
            mass = np.bincount(classes[examples], minlength=len(weight)) * weight
            split = None
            if depth < DEPTH and len(examples) >= LEAST and np.count_nonzero(mass) > 1:
                split = _best_split(bins, classes, weight, examples, rng)
            if split is None:
                rows.append((-1, 0, 0, mass / mass.sum()))
                continue
            feature, above = split
            right = bins[examples, feature] > above
            rows.append((feature, above, len(waiting), mass / mass.sum()))
            waiting += [(examples[~right], depth + 1), (examples[right], depth + 1)]
        feature_, above_, child, share = zip(*rows, strict=True)
        return _Tree(
            np.array(feature_, np.int32),
            np.array(above_, np.uint8),
            np.array(child, np.int32),
            np.array(share, np.float32),
        )


def _best_split(
    bins: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    weight: NDArray[np.float64],
    examples: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """The question, of √F features, after which Gini's impurity is least; None for none."""
    count, asked = len(weight), round(np.sqrt(bins.shape[1]))
    features = rng.choice(bins.shape[1], asked, replace=False)
    values = bins[np.ix_(examples, features)].astype(np.int64) * count + classes[examples, None]
    values += np.arange(asked) * BINS * count
    table = np.bincount(values.ravel(), minlength=asked * BINS * count)
    mass = table.reshape(asked, BINS, count) * weight
    low = mass.cumsum(axis=1)[:, :-1]
    high = mass.sum(axis=1, keepdims=True) - low
    sizes = low.sum(axis=2), high.sum(axis=2)
    # Gini's impurity times the mass is the mass less this, divided by it.
    purity = sum(
        np.square(side).sum(axis=2) / np.maximum(size, 1e-12)
        for side, size in zip((low, high), sizes, strict=True)
    )
    worth = np.where((sizes[0] > 0) & (sizes[1] > 0), purity, -1)
    best = int(np.argmax(worth))
    if worth.flat[best] < 0:
        return None
    place, above = divmod(best, BINS - 1)
    return int(features[place]), above
