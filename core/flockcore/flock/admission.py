"""Peers that no slot was kept for: how a topology takes them in (spec ekk, section 5).

A flock that is laid out by `reach` has a slot for every peer that a node can hear. Here a peer is
given a slot when it first announces itself, as in the original, and its distance may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.flock.codes import Code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.flock.topology import Topology

__all__ = ["Announced", "announce"]


@dataclass(frozen=True, slots=True)
class Announced:
    """Outcome of `announce`.

    Attributes:
        code: OK, INVALID_ARG (no such id) or NO_MEMORY (no slot left), shape (n,), int8.
        edge: The peer's edge, -1 when it has none, shape (n,).
        changed: Rows whose ordered elected set changed.
    """

    code: NDArray[np.int8]
    edge: NDArray[np.intp]
    changed: NDArray[np.intp]


def announce(
    topology: Topology,
    rows: NDArray[np.intp],
    ids: NDArray[np.int32],
    distances: NDArray[np.int64],
    barred: NDArray[np.bool_] | None = None,
) -> Announced:
    """Let peers announce themselves to rows that may have no slot for them yet.

    A new peer takes a slot whose peer is not known; what else is kept by edge is the caller's to
    clear.

    Args:
        topology: Changed in place.
        rows: Observers, each at most once, shape (n,).
        ids: Peer indices, shape (n,); the observer's own is passed over.
        distances: Their distances, shape (n,).
        barred: As in `Topology.discover`.

    Returns:
        One code and edge for each announcement, and the rows that changed.
    """
    bar = np.zeros(len(rows), dtype=np.bool_) if barred is None else barred
    code = np.full(len(rows), Code.OK, dtype=np.int8)
    edge = np.full(len(rows), -1, dtype=np.intp)
    code[ids < 0] = Code.INVALID_ARG
    todo = np.flatnonzero((ids >= 0) & (ids != topology.own[rows]))
    slot = _slot_for(topology, rows[todo], ids[todo])
    code[todo[slot < 0]] = Code.NO_MEMORY
    todo, slot = todo[slot >= 0], slot[slot >= 0]
    edge[todo] = rows[todo] * topology.slots + slot
    again = _place(topology, edge[todo], ids[todo], distances[todo])
    found = topology.discover(edge[todo], bar[todo])
    return Announced(code=code, edge=edge, changed=np.union1d(again, found))


def _slot_for(
    topology: Topology, rows: NDArray[np.intp], ids: NDArray[np.int32]
) -> NDArray[np.intp]:
    """The slot that holds the peer, else one without a known peer, else -1."""
    here = topology.peer[rows] == ids[:, None]
    spare = ~topology.known[rows]
    slot = np.where(here.any(axis=1), here.argmax(axis=1), spare.argmax(axis=1))
    return np.where(here.any(axis=1) | spare.any(axis=1), slot, -1)


def _place(
    topology: Topology,
    edges: NDArray[np.intp],
    ids: NDArray[np.int32],
    distances: NDArray[np.int64],
) -> NDArray[np.intp]:
    """Write peers and distances into their slots; returns the rows whose elected set changed."""
    peer, distance = topology.peer.reshape(-1), topology.distance.reshape(-1)
    moved = (peer[edges] != ids) | (distance[edges] != distances)
    elected = topology.chosen.reshape(-1)[edges]
    # An elected peer that moved may have to leave; any other that moved counts as new.
    topology.known.reshape(-1)[edges[moved & ~elected]] = False
    peer[edges] = ids
    distance[edges] = distances
    if moved.any():
        topology.rerank(topology.rows_of(edges[moved]))
    return topology.elect(topology.rows_of(edges[moved & elected]))
