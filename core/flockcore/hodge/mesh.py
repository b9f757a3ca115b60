"""The complex on which a flock's flows live: the union of elected neighbourhoods, and its history.

It is fixed when the run starts, from the k nearest of every node, and changes by join and leave
alone: elections come and go with every suspicion, and a flow must not lose its edge to one. An edge
keeps its number for good, so that what was once written about it stays written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.hodge.complex import Complex
from flockcore.hodge.forest import spanning_forest
from flockcore.hodge.projection import Projector
from flockcore.kernel.state import derived

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.hodge.arrays import Floats, Indices, Integers, Mask

__all__ = ["Mesh", "Plan"]


_FEW_HOLES = 8
"""Holes for which a basis of harmonic flows is made: it costs a solution each."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What follows from the edges that are there.

    Attributes:
        complex: their flag complex.
        live: numbers of its edges, ascending, shape (E,).
        bridges: pairs of nodes over which letters pass between pieces of the complex, (B, 2).
    """

    complex: Complex
    live: Indices
    bridges: Integers

    @cached_property
    def projector(self) -> Projector:
        """The projector of the complex; where there are few holes, with their harmonic flows."""
        made = Projector(self.complex)
        if made.betti[1] <= _FEW_HOLES:
            made.prepare()
        return made

    def neighbours(self) -> tuple[Indices, tuple[Indices, Indices]]:
        """Return the reach over which letters travel: neighbours in the complex, and bridges.

        Returns:
            The neighbours of each node, -1 where there is none, shape (N, D); and for each node the
            edges to those who hear it, as CSR.
        """
        nodes = self.complex.vertex_count
        ends = np.concatenate([self.complex.edges, self.bridges.astype(np.intp)])
        near, far = ends.reshape(-1), ends[:, ::-1].reshape(-1)
        order = np.lexsort((far, near))
        near, far = near[order], far[order]
        count = np.bincount(near, minlength=nodes)
        start = np.concatenate([[0], np.cumsum(count)])
        slot = np.arange(len(near)) - start[near]
        width = max(int(count.max(initial=0)), 1)
        peer = np.full((nodes, width), -1, dtype=np.intp)
        peer[near, slot] = far
        # Who hears whom is mutual: the edges of x's hearers are those in which x is the peer.
        heard = np.lexsort((near, far))
        out = (near * width + slot)[heard]
        return peer, (start.astype(np.intp), out.astype(np.intp))


@dataclass(slots=True)
class Mesh:
    """Edges ever joined.

    Attributes:
        ends: lower and higher node of each, shape (G, 2).
        live: whether both ends are members, shape (G,).
        absent: who was no member when this was last looked at, shape (N,).
        bridges: pairs of nodes that join the pieces of the complex, shape (B, 2).
        plan: what follows from these.
    """

    ends: Integers
    live: Mask
    absent: Mask
    bridges: Integers
    plan: Plan = derived()

    @classmethod
    def of(cls, peer: NDArray[np.int32], k: int, absent: Mask) -> Self:
        """Return the mesh of a flock at its start.

        Args:
            peer: reach of each node, nearest first, -1 where there is none, shape (N, R).
            k: neighbours that a node elects.
            absent: nodes that are no members, shape (N,).
        """
        chosen = np.where(absent[:, None], -1, peer[:, :k]).astype(np.int64)
        ends = Complex.from_neighbours(chosen).edges.astype(np.int64)
        live = np.ones(len(ends), dtype=np.bool_)
        bridges = _bridges(ends, peer, absent)
        return cls(ends, live, absent.copy(), bridges, _plan(ends, live, bridges, len(peer)))

    @property
    def edges(self) -> int:
        """Number of edges ever joined, G."""
        return len(self.ends)

    def rebuild(self) -> None:
        """Work out again what follows from the edges."""
        self.plan = _plan(self.ends, self.live, self.bridges, len(self.absent))

    def follow(self, absent: Mask, peer: NDArray[np.int32], k: int) -> bool:
        """Take note of who left and who joined; tell whether anything changed.

        Args:
            absent: nodes that are no members now, shape (N,).
            peer: the present reach of each node, shape (N, R).
            k: neighbours that a node elects.
        """
        if not (absent != self.absent).any():
            return False
        joined = np.flatnonzero(self.absent & ~absent)
        self.absent = absent.copy()
        self.live &= ~absent[self.ends].any(axis=1)
        near = peer[joined, :k].astype(np.int64)
        node = np.broadcast_to(joined[:, None], near.shape)[near >= 0]
        near = near[near >= 0]
        pairs = np.stack([np.minimum(node, near), np.maximum(node, near)], axis=1)
        self._join(np.unique(pairs, axis=0))
        self.bridges = _bridges(self.ends[self.live], peer, absent)
        self.rebuild()
        return True

    def _join(self, pairs: Integers) -> None:
        nodes = len(self.absent)
        known = self.ends[:, 0] * nodes + self.ends[:, 1]
        wanted = pairs[:, 0] * nodes + pairs[:, 1]
        self.live |= np.isin(known, wanted)
        fresh = pairs[~np.isin(wanted, known)]
        self.ends = np.concatenate([self.ends, fresh])
        self.live = np.append(self.live, np.ones(len(fresh), dtype=np.bool_))

    def find(self, first: Indices, second: Indices) -> tuple[Indices, Integers]:
        """Return the numbers of live edges between nodes (-1: none), and 1 or -1 by direction."""
        edge, sign = self.plan.complex.find_edges(first, second)
        number = np.where(edge >= 0, self.plan.live[edge], -1)
        return number.astype(np.intp), sign.astype(np.int64)

    def on_plan(self, flow: Floats) -> Floats:
        """Return a flow over all edges ever joined as one over the live ones, shape (E,)."""
        return flow[self.plan.live]


def _plan(ends: Integers, live: Mask, bridges: Integers, nodes: int) -> Plan:
    numbers = np.flatnonzero(live)
    return Plan(Complex.flag(ends[numbers], vertices=nodes), numbers, bridges)


def _bridges(ends: Integers, peer: NDArray[np.int32], absent: Mask) -> Integers:
    """Join the pieces of a graph by links within reach, the nearest by rank first.

    Elected neighbourhoods may fall into pieces, between which no letter would pass.
    """
    near = np.where((peer >= 0) & ~absent[peer] & ~absent[:, None], peer, -1)
    slot, node = np.nonzero(near.T >= 0)
    links = np.stack([node, near[node, slot]], axis=1)
    _, chosen = spanning_forest(np.concatenate([ends, links]).astype(np.intp), len(peer))
    return np.sort(links[chosen[len(ends) :]], axis=1).astype(np.int64)
