"""Randomised pairwise averaging beside diffusion over the projector (spec shivya, section 11).

Gossip (Boyd, Ghosh, Prabhakar and Shah 2006, "Randomized gossip algorithms"): a random vertex and a
random neighbour of it both take their mean. Diffusion: every edge carries a share, the gain, of the
difference between its ends, with the curl projected away. Diffusion converges for gains below
2 / (largest eigenvalue of the graph Laplacian) and grows without bound above: that is said (W23 of
the original, where a maximum that passed over NaN called it converged).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.operators import curl, divergence, gradient, vertex_laplacian
from flockcore.hodge.solver import norm
from flockcore.hodge.validation import finite

if TYPE_CHECKING:
    from collections.abc import Callable

    from flockcore.hodge.arrays import Floats, Indices
    from flockcore.hodge.complex import Complex
    from flockcore.hodge.projection import Projector
    from flockcore.kernel.rng import Streams

__all__ = [
    "Averaging",
    "AveragingOptions",
    "Outcome",
    "Partners",
    "diffuse",
    "gossip",
    "largest_curl",
    "stable_gain",
]

BYTES_PER_EXCHANGE = 16
_BATCH = 1024
_GROWTH = 1e6
_POWER_STEPS = 200


class Outcome(StrEnum):
    """How a run of averaging ended."""

    CONVERGED = "converged"
    DIVERGED = "diverged"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragingOptions:
    """When to stop.

    Attributes:
        tolerance: largest distance from the mean at which values count as equal, above 0.
        limit: steps allowed, 1 or more.
    """

    tolerance: float = 1e-3
    limit: int = 50_000

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.tolerance < float("inf"):
            raise FlockError(f"tolerance is {self.tolerance}; a number above 0 is allowed")
        if self.limit < 1:
            raise FlockError(f"limit is {self.limit}; 1 or more is allowed")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Averaging:
    """A run of averaging.

    Attributes:
        values: values at the end, shape (V,).
        outcome: how it ended.
        steps: exchanges of gossip, or rounds of diffusion.
        bytes: what they sent: 16 for each edge used.
        distance: largest distance from the mean at the end; not finite after an overflow.
        curl: largest curl of the last flow, in size; 0 for gossip, which has none.
        history: (step, distance) pairs as they were looked at, shape (k, 2).
    """

    values: Floats
    outcome: Outcome
    steps: int
    bytes: int
    distance: float
    curl: float
    history: Floats


class Partners:
    """Who may exchange with whom.

    Args:
        complex_: the complex; the neighbours of a vertex come in the order of its edges.
    """

    def __init__(self, complex_: Complex) -> None:
        edges = complex_.edges
        self.vertices = complex_.vertex_count
        both = np.concatenate([edges, edges[:, ::-1]])
        number = np.tile(np.arange(len(edges), dtype=np.intp), 2)
        order = np.lexsort((number, both[:, 0]))
        self._neighbour = both[order, 1]
        self._degree = np.bincount(both[:, 0], minlength=self.vertices)
        self._start = np.cumsum(self._degree) - self._degree

    def pick(self, words: tuple[int, int]) -> tuple[int, int] | None:
        """Return the vertex and the neighbour that two raw 64-bit words pick, if it has one."""
        vertex = (words[0] >> 32) % self.vertices
        degree = int(self._degree[vertex])
        if not degree:
            return None
        place = (words[1] >> 32) % degree
        return vertex, int(self._neighbour[self._start[vertex] + place])

    def draw(self, streams: Streams, batch: int, *, name: str = "gossip") -> Indices:
        """Return a batch of pairs, a function of the seed, the name and the batch's number alone.

        A vertex without neighbours picks itself: it stays idle. Shape (1024, 2).
        """
        words = streams.raw(name, batch, 2 * _BATCH).reshape(-1, 2) >> np.uint64(32)
        vertex = (words[:, 0] % np.uint64(max(self.vertices, 1))).astype(np.intp)
        degree = self._degree[vertex]
        place = (words[:, 1] % np.maximum(degree, 1).astype(np.uint64)).astype(np.intp)
        if not len(self._neighbour):
            return np.stack([vertex, vertex], axis=1)
        at = np.minimum(self._start[vertex] + place, len(self._neighbour) - 1)
        return np.stack([vertex, np.where(degree > 0, self._neighbour[at], vertex)], axis=1)


def gossip(
    values: Floats,
    pairs: Callable[[int], Indices],
    *,
    options: AveragingOptions | None = None,
) -> Averaging:
    """Average pair after pair until all values are equal.

    Exchanges in which no vertex comes twice are made at once. An exchange never widens the range,
    so it is enough to look at the distance between such groups, and to go through the last one
    again for the exact step.

    Args:
        values: shape (V,).
        pairs: gives batch after batch of pairs, shape (n, 2), by number from 0.
        options: tolerance and limit.
    """
    options = AveragingOptions() if options is None else options
    x = finite(values, "the values", "vertex")
    mean = x.mean() if len(x) else 0.0
    history: list[tuple[float, float]] = [(0, _distance(x, mean))]
    steps, batch = 0, 0
    while steps < options.limit:
        drawn = pairs(batch)[: options.limit - steps]
        batch += 1
        for group in _apart(drawn):
            before = x.copy()
            _exchange(x, group)
            steps += len(group)
            distance = _distance(x, mean)
            if distance < options.tolerance:
                used = _until_equal(before, group, mean, options.tolerance)
                steps += used - len(group)
                history.append((steps, _distance(before, mean)))
                return _averaged(before, Outcome.CONVERGED, steps, history)
            history.append((steps, distance))
    return _averaged(x, Outcome.CAPPED, steps, history)


def diffuse(
    projector: Projector,
    values: Floats,
    *,
    gain: float,
    options: AveragingOptions | None = None,
) -> Averaging:
    """Let every edge carry `gain` times the difference between its ends, curl projected away.

    Args:
        projector: of the complex.
        values: shape (V,).
        gain: above 0; `stable_gain` tells up to where it converges.
        options: tolerance and limit.
    """
    options = AveragingOptions() if options is None else options
    if not 0 < gain < float("inf"):
        raise FlockError(f"gain is {gain}; a finite number above 0 is allowed")
    complex_ = projector.complex
    x = finite(values, "the values", "vertex")
    mean = x.mean() if len(x) else 0.0
    start = _distance(x, mean)
    history: list[tuple[float, float]] = [(0, start)]
    outcome, flow, steps = Outcome.CAPPED, np.zeros(complex_.edge_count), 0
    while steps < options.limit and outcome is Outcome.CAPPED:
        flow = projector.project(-gain * gradient(complex_, x)).flow
        x = x + divergence(complex_, flow)
        steps += 1
        distance = _distance(x, mean)
        history.append((steps, distance))
        if distance < options.tolerance:
            outcome = Outcome.CONVERGED
        elif not distance <= _GROWTH * max(start, options.tolerance):
            outcome = Outcome.DIVERGED
    return Averaging(
        values=x,
        outcome=outcome,
        steps=steps,
        bytes=steps * complex_.edge_count * BYTES_PER_EXCHANGE,
        distance=history[-1][1],
        curl=largest_curl(complex_, flow),
        history=np.array(history),
    )


def stable_gain(complex_: Complex) -> float:
    """Return 2 / (largest eigenvalue of the graph Laplacian); infinite without edges.

    Power iteration comes from below, so the true bound is lower, by a few per cent at most.
    """
    matrix = vertex_laplacian(complex_)
    x = np.cos(np.arange(matrix.order) * 2.399963)
    largest = 0.0
    for _ in range(_POWER_STEPS):
        y = matrix @ x
        largest = norm(y)
        if not largest:
            return float("inf")
        x = y / largest
    return 2.0 / largest


def largest_curl(complex_: Complex, flow: Floats) -> float:
    """Return the largest curl of a flow in size, NaN if any is; 0 without triangles."""
    return float(np.abs(curl(complex_, flow)).max(initial=0.0))


def _distance(x: Floats, mean: float) -> float:
    return float(np.abs(x - mean).max(initial=0.0))


def _apart(pairs: Indices) -> list[Indices]:
    """Split pairs, in order, into groups in which no vertex comes twice."""
    last: dict[int, int] = {}
    cuts, start = [0], 0
    for place, (one, other) in enumerate(pairs.tolist()):
        if max(last.get(one, -1), last.get(other, -1)) >= start:
            cuts.append(place)
            start = place
        last[one] = last[other] = place
    return [pairs[a:b] for a, b in zip(cuts, [*cuts[1:], len(pairs)], strict=True) if b > a]


def _exchange(x: Floats, pairs: Indices) -> None:
    """Give both ends of each pair their mean; no vertex may come twice."""
    x[pairs] = (0.5 * (x[pairs[:, 0]] + x[pairs[:, 1]]))[:, None]


def _until_equal(x: Floats, pairs: Indices, mean: float, tolerance: float) -> int:
    """Exchange one by one until all values are equal; return how many it took."""
    for used in range(len(pairs)):
        _exchange(x, pairs[used : used + 1])
        if _distance(x, mean) < tolerance:
            return used + 1
    return len(pairs)


def _averaged(
    x: Floats, outcome: Outcome, steps: int, history: list[tuple[float, float]]
) -> Averaging:
    return Averaging(
        values=x,
        outcome=outcome,
        steps=steps,
        bytes=steps * BYTES_PER_EXCHANGE,
        distance=history[-1][1],
        curl=0.0,
        history=np.array(history),
    )
