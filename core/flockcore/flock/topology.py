"""Who is whose neighbour: the election of the k nearest known peers (spec ekk, section 5).

All nodes at once: row x of each (N, R) table belongs to observer x, column s to the peer in its
slot s. After every operation the elected set of a row is the k least (distance, peer) among its
known peers that are not barred.

Fixes of the original: a lost peer is forgotten even when it is not elected (Q02), a peer that is
dead or quarantined can be known without being electable (Q04, Q26), and every change of the
ordered set is reported (Q15).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.errors import FlockError
from flockcore.flock.election import MAX_SLOTS, first_slots
from flockcore.flock.settings import MAX_NEIGHBOURS, TopologyOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.flock.reach import Reach

__all__ = ["MAX_NEIGHBOURS", "Broadcasts", "Topology", "TopologyOptions"]

_CHUNK_ROWS = 4096
_NO_ROWS = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Broadcasts:
    """Outcome of `Topology.tick`.

    Attributes:
        due: Nodes that announce themselves now, shape (N,).
        urgent: Those of them that do so early, short of neighbours, shape (N,).
    """

    due: NDArray[np.bool_]
    urgent: NDArray[np.bool_]


@dataclass(slots=True, kw_only=True)
class Topology:
    """Known and elected peers of N observers with R slots each.

    Attributes:
        own: Index of each observer, shape (N,).
        peer: Index of the peer in each slot, -1 for a free slot, shape (N, R).
        distance: Distance of the peer in each slot, shape (N, R).
        known: The peer has announced itself and was not lost since, shape (N, R).
        barred: The peer is not electable, shape (N, R).
        chosen: The peer is elected, shape (N, R).
        elected: Slots of the elected peers, nearest first, then -1, shape (N, 15).
        count: Number of elected peers, shape (N,).
        rank: Slots of each row by (distance, peer), shape (N, R).
        ranked: Whether every row of `rank` is 0, 1, 2, ..., as in a fresh reach table.
        k: Neighbours wanted.
        last_discovery: Time of the last announcement in microseconds, shape (N,).
        discovery_sequence: Announcements sent, modulo 2**16, shape (N,).
        elections: Re-elections held, whether or not they changed anything, shape (N,).
        options: Settings.
    """

    own: NDArray[np.int32]
    peer: NDArray[np.int32]
    distance: NDArray[np.int64]
    known: NDArray[np.bool_]
    barred: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    elected: NDArray[np.int16]
    count: NDArray[np.int16]
    rank: NDArray[np.uint8]
    ranked: bool
    k: int
    last_discovery: NDArray[np.int64]
    discovery_sequence: NDArray[np.uint16]
    elections: NDArray[np.int64]
    options: TopologyOptions

    @classmethod
    def empty(
        cls,
        options: TopologyOptions | None = None,
        *,
        own: NDArray[np.int32],
        slots: int,
    ) -> Self:
        """Return observers `own` that know nobody and have `slots` free slots each."""
        chosen = TopologyOptions() if options is None else options
        if not 1 <= slots <= MAX_SLOTS:
            raise FlockError(f"a topology of {slots} slots; 1 to {MAX_SLOTS} is allowed")
        nodes = len(own)
        table = (nodes, slots)
        return cls(
            own=np.asarray(own, dtype=np.int32),
            peer=np.full(table, -1, dtype=np.int32),
            distance=np.zeros(table, dtype=np.int64),
            known=np.zeros(table, dtype=np.bool_),
            barred=np.zeros(table, dtype=np.bool_),
            chosen=np.zeros(table, dtype=np.bool_),
            elected=np.full((nodes, MAX_NEIGHBOURS), -1, dtype=np.int16),
            count=np.zeros(nodes, dtype=np.int16),
            rank=np.tile(np.arange(slots, dtype=np.uint8), (nodes, 1)),
            ranked=True,
            k=chosen.k,
            last_discovery=np.zeros(nodes, dtype=np.int64),
            discovery_sequence=np.zeros(nodes, dtype=np.uint16),
            elections=np.zeros(nodes, dtype=np.int64),
            options=chosen,
        )

    @classmethod
    def over(cls, reach: Reach, options: TopologyOptions | None = None) -> Self:
        """Return nodes 0..N-1 with the slots of `reach`, none of them known yet."""
        nodes, slots = reach.peer.shape
        made = cls.empty(options, own=np.arange(nodes, dtype=np.int32), slots=slots)
        made.peer[...] = reach.peer
        made.distance[...] = reach.distance
        return made

    @property
    def slots(self) -> int:
        """Slots of a row, R."""
        return int(self.peer.shape[1])

    @property
    def min_neighbours(self) -> int:
        """Neighbours below which a node is short of them; never above k."""
        return min(self.options.min_neighbours, self.k)

    def discover(
        self, edges: NDArray[np.intp], barred: NDArray[np.bool_] | None = None
    ) -> NDArray[np.intp]:
        """Peers announce themselves, in slots that are already theirs.

        A row is re-elected only where the original would: short of neighbours, or the newcomer is
        nearer than the farthest elected peer.

        Args:
            edges: Edges over which announcements arrived, shape (n,).
            barred: Which of them are not electable, because the observer holds the peer for dead
                (Q04) or quarantined, shape (n,); None means none. It replaces what was noted.

        Returns:
            Rows whose ordered elected set changed, ascending.
        """
        known, was_barred = self.known.reshape(-1), self.barred.reshape(-1)
        shut = was_barred[edges]
        if barred is not None:
            shut ^= barred
        news = (~known[edges] | shut).nonzero()[0]
        if not len(news):
            return _NO_ROWS
        edges = edges[news]
        bar = np.zeros(len(edges), dtype=np.bool_) if barred is None else barred[news]
        known[edges] = True
        was_barred[edges] = bar
        matters = np.where(bar, self.chosen.reshape(-1)[edges], self._gets_in(edges))
        return self.elect(self.rows_of(edges[matters]))

    def lose(self, edges: NDArray[np.intp], *, keep_unelected: bool = False) -> NDArray[np.intp]:
        """Forget peers that are gone.

        Args:
            edges: Edges to forget, shape (n,).
            keep_unelected: Leave peers alone that are not elected, as the original does (Q02).

        Returns:
            Rows whose ordered elected set changed, ascending.
        """
        were_elected = self.chosen.reshape(-1)[edges]
        forget = edges[were_elected] if keep_unelected else edges
        self.known.reshape(-1)[forget] = False
        self.barred.reshape(-1)[forget] = False
        return self.elect(self.rows_of(edges[were_elected]))

    def bar(self, edges: NDArray[np.intp]) -> NDArray[np.intp]:
        """Make peers unelectable, known or not; returns the rows that changed."""
        self.barred.reshape(-1)[edges] = True
        return self.elect(self.rows_of(edges[self.chosen.reshape(-1)[edges]]))

    def unbar(self, edges: NDArray[np.intp]) -> NDArray[np.intp]:
        """Make peers electable again; returns the rows that changed."""
        self.barred.reshape(-1)[edges] = False
        return self.elect(self.rows_of(edges[self.known.reshape(-1)[edges]]))

    def set_neighbours(self, k: int) -> NDArray[np.intp]:
        """Want `k` neighbours from now on; returns the rows that changed."""
        if not 1 <= k <= MAX_NEIGHBOURS:
            raise FlockError(f"k is {k}; 1 to {MAX_NEIGHBOURS} is allowed")
        self.k = k
        return self.elect(np.arange(len(self.own), dtype=np.intp))

    def elect(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Re-elect `rows`, each given once; returns those whose ordered elected set changed."""
        changed = [
            self._elect(rows[begin : begin + _CHUNK_ROWS])
            for begin in range(0, len(rows), _CHUNK_ROWS)
        ]
        return np.concatenate(changed) if changed else _NO_ROWS

    def tick(self, now: int, ticking: NDArray[np.bool_] | None = None) -> Broadcasts:
        """Decide who announces itself: every period, every quarter of it when short of neighbours.

        Args:
            now: Time in microseconds.
            ticking: Nodes that run in this tick, shape (N,); None means all.
        """
        period = self.options.discovery_period_us
        silent = now - self.last_discovery
        due = silent >= period
        urgent = self.count < self.min_neighbours
        if urgent.any():
            urgent &= (silent >= period // 4) & ~due
            due |= urgent
        if ticking is not None:
            due &= ticking
            urgent &= ticking
        if due.any():
            self.last_discovery[due] = now
            self.discovery_sequence[due] += 1
        return Broadcasts(due=due, urgent=urgent)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Give `rows` the state of a node that has just started; their slots stay."""
        for table in (self.known, self.barred, self.chosen):
            table[rows] = False
        self.elected[rows] = -1
        for column in (self.count, self.last_discovery, self.discovery_sequence):
            column[rows] = 0

    def rebase(
        self, reach: Reach, before: NDArray[np.intp], after: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Take over a new reach table, after a join or a move.

        Args:
            reach: The new table, shape (N, R) as before.
            before: Edges of the old table that live on, see `reach.carry`.
            after: The same edges in the new table.

        Returns:
            Rows whose ordered elected set changed, ascending.
        """
        ids = self.elected_peers()
        for table in (self.known, self.barred):
            kept = table.reshape(-1)[before]
            table[...] = False
            table.reshape(-1)[after] = kept
        self.peer[...] = reach.peer
        self.distance[...] = reach.distance
        self.rank[...] = np.arange(self.slots, dtype=np.uint8)
        self.ranked = True
        self.elect(np.arange(len(self.own), dtype=np.intp))
        return np.flatnonzero((self.elected_peers() != ids).any(axis=1))

    def elected_edges(self) -> NDArray[np.intp]:
        """Edges of the elected peers, nearest first, then -1, shape (N, k)."""
        slot = self.elected[:, : self.k]
        base = np.arange(len(slot), dtype=np.intp)[:, None] * self.slots
        return np.where(slot >= 0, base + slot, -1)

    def elected_peers(self) -> NDArray[np.int32]:
        """Indices of the elected peers, nearest first, then -1, shape (N, k)."""
        edges = self.elected_edges()
        return np.where(edges >= 0, self.peer.reshape(-1)[edges], -1).astype(np.int32)

    def rows_of(self, edges: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of `edges`, each once, ascending."""
        mark = np.zeros(len(self.own), dtype=np.bool_)
        mark[edges // self.slots] = True
        return np.flatnonzero(mark)

    def _key(self, edges: NDArray[np.intp]) -> NDArray[np.int64]:
        key: NDArray[np.int64] = self.distance.reshape(-1)[edges] << 32
        return key | self.peer.reshape(-1)[edges]

    def _gets_in(self, edges: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the peers are due in the elected set as it stands."""
        rows = edges // self.slots
        count = self.count[rows]
        last = self.elected[rows, np.maximum(count - 1, 0)]
        nearer = self._key(edges) < self._key(rows * self.slots + np.maximum(last, 0))
        return (count < self.k) | nearer

    def rerank(self, rows: NDArray[np.intp]) -> None:
        """Sort the slots of `rows` anew, after a slot was given away or a peer moved."""
        key = self.distance[rows] << 32 | self.peer[rows]
        key[self.peer[rows] < 0] = np.iinfo(np.int64).max
        self.rank[rows] = np.argsort(key, axis=1, kind="stable")
        self.ranked = False

    def _elect(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Elect one chunk: the first k electable slots by rank."""
        electable = self.known[rows] & ~self.barred[rows]
        if not self.ranked:
            electable = np.take_along_axis(electable, self.rank[rows].astype(np.intp), axis=1)
        elected, count = first_slots(electable, self.k, MAX_NEIGHBOURS)
        row, place = np.nonzero(elected >= 0)
        slot = elected[row, place].astype(np.intp)
        if not self.ranked:
            slot = self.rank[rows[row], slot].astype(np.intp)
            elected[row, place] = slot
        changed: NDArray[np.bool_] = (elected != self.elected[rows]).any(axis=1)
        self.elected[rows] = elected
        self.count[rows] = count
        self.chosen[rows] = False
        self.chosen[rows[row], slot] = True
        self.elections[rows] += 1
        return rows[changed]
