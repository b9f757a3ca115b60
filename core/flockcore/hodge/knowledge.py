"""What a node can make of the entries that it has: its flow, the curl in it, and its parts.

All of it is a function of numbers that replicas share, so nodes with equal numbers come to equal
results without a word, and each distinct set of numbers is worked on once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.operators import curl, divergence, gradient
from flockcore.hodge.solver import norm

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats, Integers
    from flockcore.hodge.deltas import DeltaLog
    from flockcore.hodge.mesh import Mesh, Plan
    from flockcore.hodge.projection import Decomposition, Projection
    from flockcore.hodge.solver import Solution

__all__ = ["Adopted", "Knowledge", "Library"]

_KEPT = 64
"""Distinct flows that are kept with all that was made of them."""
_NORMS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a node made of its flow when it last reconciled.

    Attributes:
        row: entries that it had of each writer, shape (A,).
        queues: queue lengths that it evened out; None where it only removed the curl, shape (N,).
    """

    row: Integers
    queues: Floats | None

    @property
    def key(self) -> bytes:
        """Equal where the adopted correction is."""
        return self.row.tobytes() + (b"" if self.queues is None else self.queues.tobytes())


class Knowledge:
    """The flow that a set of entries adds up to.

    Args:
        plan: the complex.
        flow: flow on its edges, shape (E,).
    """

    def __init__(self, plan: Plan, flow: Floats) -> None:
        self.plan = plan
        self.flow = flow

    @cached_property
    def curls(self) -> Floats:
        """Curl round each triangle, shape (T,)."""
        return curl(self.plan.complex, self.flow)

    @cached_property
    def projection(self) -> Projection:
        """The flow without its curl part."""
        return self.plan.projector.project(self.flow)

    @cached_property
    def parts(self) -> Decomposition:
        """Gradient, curl and harmonic part."""
        return self.plan.projector.decompose(self.flow)

    def balance(self, queues: Floats) -> Solution:
        """Return the potential whose gradient evens the queues out when added to the projection."""
        projector = self.plan.projector
        piece = projector.homology.components
        mean = np.bincount(piece, queues) / np.maximum(np.bincount(piece), 1)
        wanted = mean[piece] - queues - divergence(self.plan.complex, self.flow)
        return projector.potential_of(wanted)


class Library:
    """Flows by the entries that they are made of, worked out once each."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Knowledge] = OrderedDict()
        self._corrections: OrderedDict[bytes, Floats] = OrderedDict()
        self._norms: OrderedDict[bytes, float] = OrderedDict()

    def clear(self) -> None:
        """Forget everything: the complex or the logs are other ones."""
        self._known.clear()
        self._corrections.clear()
        self._norms.clear()

    def knowledge(self, row: Integers, log: DeltaLog, mesh: Mesh) -> Knowledge:
        """Return what a node with these entries knows."""
        key = row.tobytes()
        found = self._known.get(key)
        if found is None:
            flow = mesh.on_plan(log.flow(row, mesh.edges))
            found = self._known[key] = Knowledge(mesh.plan, flow)
            _shorten(self._known, _KEPT)
        return found

    def correction(self, adopted: Adopted, log: DeltaLog, mesh: Mesh) -> Floats:
        """Return what a node added to its flow when it reconciled, shape (E,)."""
        key = adopted.key
        found = self._corrections.get(key)
        if found is None:
            known = self.knowledge(adopted.row, log, mesh)
            found = -known.projection.removed
            if adopted.queues is not None:
                found = found + gradient(mesh.plan.complex, known.balance(adopted.queues).x)
            self._corrections[key] = found
            _shorten(self._corrections, _KEPT)
        return found

    def settled(self, row: Integers, adopted: Adopted | None, log: DeltaLog, mesh: Mesh) -> Floats:
        """Return the flow that a node acts on: what it knows, corrected as it last reconciled."""
        flow = self.knowledge(row, log, mesh).flow
        return flow if adopted is None else flow + self.correction(adopted, log, mesh)

    def curl_norm(self, row: Integers, adopted: Adopted | None, log: DeltaLog, mesh: Mesh) -> float:
        """Return the norm of the curl in `settled`."""
        key = row.tobytes() + b"|" + (b"" if adopted is None else adopted.key)
        found = self._norms.get(key)
        if found is None:
            flow = self.settled(row, adopted, log, mesh)
            found = self._norms[key] = norm(curl(mesh.plan.complex, flow))
            _shorten(self._norms, _NORMS_KEPT)
        return found


def _shorten[T](kept: OrderedDict[bytes, T], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
