"""Offload rates between nodes with queues, and what to recommend instead (spec shivya, 8.1).

Reported rates are an edge flow. The original recommends the flow without its curl part: work that
goes in circles stops, but every node's net outflow stays too, so a hot node stays hot (W15). The
balancing settle adds the potential flow after which all queues of a connected piece are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.complex import Complex
from flockcore.hodge.operators import divergence, gradient
from flockcore.hodge.projection import Projection, Projector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flockcore.hodge.arrays import Floats, Indices

__all__ = ["QUEUE_SCALE", "Settle", "Settlement", "Snapshot", "WorkloadProxy"]

QUEUE_SCALE = 32.0
"""Queue length that adds one to a node's mass."""


class Settle(StrEnum):
    """What a settle aims at."""

    BALANCE = "balance"  # equal queues, nothing in circles
    PROJECT = "project"  # the original's: the same net outflow of every node, nothing in circles


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Settlement:
    """What a settle recommends.

    Attributes:
        recommended: rate for each declared pair, in the declared direction, shape (D,).
        curl_norm: norm of what went in circles in the reported flow, over all edges.
        moved: norm of the flow that balancing added; 0 for `Settle.PROJECT`.
        converged: whether the solver reached its tolerance.
        kind: what it aimed at.
    """

    recommended: Floats
    curl_norm: float
    moved: float
    converged: bool
    kind: Settle


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Snapshot:
    """The state of a proxy.

    Attributes:
        names: name of each node, N of them.
        queue: queue lengths, shape (N,).
        mass: masses, 1 + queue / 32, shape (N,).
        pairs: nodes of each declared pair, shape (D, 2).
        reported: rates in the declared direction, shape (D,).
        recommended: rates of the last settle, 0 before, shape (D,).
        curl_norm: that of the last settle, 0 before.
    """

    names: tuple[str, ...]
    queue: Floats
    mass: Floats
    pairs: Indices
    reported: Floats
    recommended: Floats
    curl_norm: float


class WorkloadProxy:
    """Queues and offload rates of named nodes.

    Args:
        nodes: names, each once.
        edges: declared (source, destination) pairs; one that repeats a pair in either direction
            adds no edge, but has its recommendation.

    Raises:
        FlockError: a name comes twice, a pair names an unknown node or one node twice.
    """

    def __init__(self, *, nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> None:
        self._number: dict[str, int] = {}
        for name in nodes:
            if name in self._number:
                raise FlockError(f"duplicate node `{name}`")
            self._number[name] = len(self._number)
        ends = [(self._find(source), self._find(target)) for source, target in edges]
        self._pairs = np.array(ends, dtype=np.intp).reshape(-1, 2)
        bare = Complex.flag(np.zeros((0, 2), dtype=np.intp), vertices=len(self._number))
        complex_ = bare.add_edges(self._pairs, present="keep").complex
        self._projector = Projector(complex_)
        self._edge, self._sign = complex_.find_edges(self._pairs[:, 0], self._pairs[:, 1])
        self._queue = np.zeros(len(self._number))
        self._flow = np.zeros(complex_.edge_count)
        self._last: Settlement | None = None
        self._warm: Projection | None = None

    @property
    def complex(self) -> Complex:
        """The complex of nodes and edges."""
        return self._projector.complex

    @property
    def flow(self) -> Floats:
        """Reported flow, a copy, shape (E,)."""
        return self._flow.copy()

    @property
    def mass(self) -> Floats:
        """Mass of each node, shape (N,)."""
        return 1.0 + self._queue / QUEUE_SCALE

    def record_queue_len(self, node: str, length: float) -> None:
        """Note the queue length of a node, 0 or more."""
        row = self._find(node)
        if not (math.isfinite(length) and length >= 0):
            raise FlockError(f"queue length of `{node}` is {length}; 0 or more is allowed")
        self._queue[row] = length

    def record_offload(self, source: str, target: str, rate: float) -> None:
        """Note the rate from one node to another; it takes the place of the one before."""
        tail, head = self._find(source), self._find(target)
        edge, sign = self.complex.find_edges([tail], [head])
        if edge[0] < 0:
            raise FlockError(f"no offload edge between `{source}` and `{target}`")
        if not math.isfinite(rate):
            raise FlockError(
                f"rate from `{source}` to `{target}` is {rate}; finite numbers are allowed"
            )
        self._flow[edge[0]] = sign[0] * rate

    def settle(self, kind: Settle = Settle.BALANCE, *, horizon: float = 1.0) -> Settlement:
        """Recommend rates; the reported ones stay as they are.

        Args:
            kind: what to aim at.
            horizon: time after which the recommended rates have made the queues equal, in the unit
                of time of the rates, above 0.
        """
        if not (math.isfinite(horizon) and horizon > 0):
            raise FlockError(f"horizon is {horizon}; a finite number above 0 is allowed")
        projection = self._projector.project(self._flow, warm=self._warm)
        settled, moved, converged = projection.flow, 0.0, projection.converged
        if kind is Settle.BALANCE:
            solution = self._projector.potential_of(self._wanted(horizon))
            added = gradient(self.complex, solution.x)
            settled = settled + added
            moved = float(np.linalg.norm(added))
            converged = converged and solution.converged
        self._warm = projection
        self._last = Settlement(
            recommended=settled[self._edge] * self._sign,
            curl_norm=projection.curl_norm,
            moved=moved,
            converged=converged,
            kind=kind,
        )
        return self._last

    def snapshot(self) -> Snapshot:
        """Return the present state; later changes do not touch it."""
        return Snapshot(
            names=tuple(self._number),
            queue=self._queue.copy(),
            mass=self.mass,
            pairs=self._pairs,
            reported=self._flow[self._edge] * self._sign,
            recommended=np.zeros(len(self._pairs))
            if self._last is None
            else self._last.recommended,
            curl_norm=0.0 if self._last is None else self._last.curl_norm,
        )

    def _find(self, name: str) -> int:
        if name not in self._number:
            raise FlockError(f"unknown node `{name}`")
        return self._number[name]

    def _wanted(self, horizon: float) -> Floats:
        """Return the inflow that each node lacks for its piece's mean queue, shape (N,)."""
        piece = self._projector.homology.components
        mean = np.bincount(piece, self._queue) / np.maximum(np.bincount(piece), 1)
        wanted: Floats = (mean[piece] - self._queue) / horizon
        wanted -= divergence(self.complex, self._flow)
        return wanted
