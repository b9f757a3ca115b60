"""A layer's own channel: fan-out, flight, inboxes and the receive budget.

Messages travel along *edges*. Edge `observer * R + slot` leads from the node in that slot of the
observer's reach to the observer, so a copy is one integer, and what the observer keeps about the
sender is found without a search. A message sent in a tick is delivered at the end of that tick, or
of a later one when it is delayed, and read in the tick after that.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flockcore.kernel.mail import FanOut, Parcel, Traffic, join, pack, spans, unpack
from flockcore.kernel.network import Network
from flockcore.kernel.state import Captured

if TYPE_CHECKING:
    from flockcore.kernel.trace import Recorder

__all__ = ["Channel", "InboxRule"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]

_FAN_OUT_BYTES = 150_000_000
"""Enough for the heartbeats of 100,000 nodes with 63 slots, which recur every period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRule:
    """How a node reads its inbox.

    Attributes:
        budget: messages read per tick; None reads all.
        limit: messages kept unread; what comes beyond is dropped. None keeps all.
        newest: of several unread messages of a `newest` kind from one sender only the content of
            the last is kept, in the place of the first (anomaly Q18).
        newest_kinds: the message kinds that `newest` concerns.
    """

    budget: int | None = 16
    limit: int | None = 256
    newest: bool = True
    newest_kinds: tuple[int, ...] = ()


class Channel:
    """Sends, delivers and hands out the messages of one layer.

    Args:
        network: the faults that act on copies.
        peer: the node in each slot of each reach, -1 for none, shape (N, R).
        hearers: for each node its out-edges, as CSR (start (N+1,), edge (E,)).
        rule: how inboxes are read.

    Attributes:
        traffic: copies counted since it was last cleared.
        recorder: is told of every copy, while one is set.
    """

    def __init__(
        self,
        *,
        network: Network,
        peer: NDArray[np.int32],
        hearers: tuple[Indices, Indices],
        rule: InboxRule,
    ) -> None:
        self.network = network
        self.rule = rule
        self.traffic = Traffic()
        self.recorder: Recorder | None = None
        self.inbox: list[Parcel] = []
        self._flight: list[tuple[NDArray[np.int64], Parcel]] = []
        self._fan_outs: OrderedDict[bytes, FanOut] = OrderedDict()
        self.connect(peer, hearers)

    def connect(self, peer: NDArray[np.int32], hearers: tuple[Indices, Indices]) -> None:
        """Use another reach; messages under way must have been moved by the caller."""
        self.peer = peer
        self.nodes, self.reach = peer.shape
        self._peer_flat = peer.reshape(-1)
        self._start, self._out = hearers
        self._fan_outs.clear()
        self._held_bytes = 0

    @property
    def under_way(self) -> list[Parcel]:
        """All parcels in flight or unread; edges may be rewritten in place."""
        return [*self.inbox, *(parcel for _, parcel in self._flight)]

    def source(self, edge: Indices) -> Indices:
        """Return the sender at the far end of each edge."""
        return self._peer_flat[edge].astype(np.intp)

    def edge_from(self, source: Indices, target: Indices) -> Indices:
        """Return the edge from each source to each target, -1 where the target cannot hear it."""
        hit = self.peer[target] == source[:, None]
        slot = hit.argmax(axis=1)
        return np.where(hit.any(axis=1), target * self.reach + slot, -1)

    def fan_out(self, senders: Indices) -> FanOut:
        """Return all edges to the hearers of `senders`, shape (n,) in ascending order.

        The sets of nodes that send in a tick recur with the heartbeat period, so they are kept.
        """
        key = senders.tobytes()
        kept = self._fan_outs.get(key)
        if kept is not None:
            self._fan_outs.move_to_end(key)
            return kept
        first, last = self._start[senders], self._start[senders + 1]
        rank = np.repeat(np.arange(len(senders), dtype=np.int32), last - first)
        # In order of edges, so that whoever reads them walks through memory in one direction.
        edge = self._out[spans(first, last)]
        sorting = np.argsort(edge, kind="stable")
        # The caller may go on to change its list of senders.
        nodes = self.nodes if bool((senders[1:] > senders[:-1]).all()) else 0
        made = FanOut.along(edge[sorting], rank[sorting], senders.copy(), self.reach, nodes=nodes)
        self._fan_outs[key] = made
        self._held_bytes += made.nbytes
        while self._held_bytes > _FAN_OUT_BYTES and len(self._fan_outs) > 1:
            self._held_bytes -= self._fan_outs.popitem(last=False)[1].nbytes
        return made

    def send(
        self,
        *,
        kind: int,
        along: FanOut,
        order: NDArray[np.int64],
        tick: int,
        octets: int,
        sequence: NDArray[np.uint8] | None = None,
        body: NDArray[np.int64] | None = None,
    ) -> None:
        """Hand one copy per edge to the network.

        Args:
            kind: message kind.
            along: the edges.
            order: position of each sender in the order of sending, shape (senders,).
            tick: the present tick.
            octets: payload length of one message in bytes.
            sequence: sequence number per sender, shape (senders,).
            body: content per sender, shape (senders, BODY).
        """
        count = len(along.edge)
        if count == 0:
            return
        fate = self.network.dispatch(along, kind=kind, tick=tick)
        rank, edge = along.rank, along.edge
        if fate.index is not None:
            # Here and below, "clip" spares numpy a pass over positions that are in range.
            rank = rank.take(fate.index, mode="clip")
            edge = edge.take(fate.index, mode="clip")
        parcel = Parcel(
            kind,
            edge,
            order.take(rank, mode="clip"),
            np.zeros(len(rank), np.uint8) if sequence is None else sequence.take(rank, mode="clip"),
            np.zeros((len(rank), 0), np.int64) if body is None else body[rank],
            None if self.network.repeats else along.most,
        )
        self._count(fate.index, count, octets)
        due = np.asarray(tick, dtype=np.int64)
        if fate.ticks is not None:
            due = tick + fate.ticks
            self.traffic.delayed += int(np.count_nonzero(fate.ticks))
        self._flight.append((due, parcel))
        if self.recorder is not None:
            self.recorder.sent(
                kind=kind,
                along=along,
                index=fate.index,
                due=np.broadcast_to(due, len(rank)),
                tick=tick,
                sequence=sequence,
                body=body,
            )

    def _count(self, index: Indices | None, count: int, octets: int) -> None:
        self.traffic.sent += count
        self.traffic.octets += count * octets
        if index is not None and not self.network.repeats:
            self.traffic.lost += count - len(index)
        elif index is not None:
            arrived = np.zeros(count, dtype=np.bool_)
            arrived[index] = True
            distinct = int(np.count_nonzero(arrived))
            self.traffic.lost += count - distinct
            self.traffic.duplicated += len(index) - distinct

    def deliver(self, tick: int, reachable: Mask) -> None:
        """Put what is due at the end of `tick` into the inboxes.

        Args:
            tick: the present tick.
            reachable: nodes whose inbox takes messages, shape (N,).
        """
        if self.recorder is not None:
            self.recorder.arrived(tick, reachable, self.network)
        everyone = bool(reachable.all())
        waiting: list[tuple[NDArray[np.int64], Parcel]] = []
        for due, parcel in self._flight:
            now = due <= tick
            if not now.all():
                later = np.flatnonzero(~now)
                waiting.append((due[later], parcel.take(later)))
                parcel = parcel.take(np.flatnonzero(now))
            if len(parcel):
                parcel = self._arrive(parcel, reachable, everyone=everyone)
            if len(parcel):
                self.traffic.delivered += len(parcel)
                self.inbox.append(parcel)
        self._flight = waiting

    def _arrive(self, parcel: Parcel, reachable: Mask, *, everyone: bool) -> Parcel:
        if everyone and not self.network.divided:
            return parcel
        target = parcel.edge // self.reach
        if not everyone:
            up = reachable[target]
            if not up.all():
                self.traffic.down += int(np.count_nonzero(~up))
                parcel, target = parcel.take(up), target[up]
        passing = self.network.cross(self.source(parcel.edge), target)
        if passing is not None and not passing.all():
            self.traffic.cut += int(np.count_nonzero(~passing))
            parcel = parcel.take(passing)
        return parcel

    def read(self, ticking: Mask) -> list[Parcel]:
        """Hand out what the nodes that run read in this tick, in order, and keep the rest.

        Args:
            ticking: nodes that run, shape (N,).
        """
        parcels, self.inbox = self.inbox, []
        if not parcels:
            return []
        held = self._crowded(parcels, ticking)
        if not len(held):
            return parcels
        pairs = [parcel.split(held, self.reach) for parcel in parcels]
        quick = [rest for rest, _ in pairs]
        crowded = [mine for _, mine in pairs if len(mine)]
        if crowded:
            quick += self._ration(crowded, ticking)
        return [parcel for parcel in quick if len(parcel)]

    def _crowded(self, parcels: list[Parcel], ticking: Mask) -> Indices:
        """Return the nodes that may not read all that lies there, ascending."""
        most = np.zeros(self.nodes, dtype=np.intp)
        for parcel in parcels:
            most += parcel.counts(self.reach, self.nodes) if parcel.most is None else parcel.most
        held = ~ticking
        if self.rule.budget is not None:
            held |= most > self.rule.budget
        rows: Indices = held.nonzero()[0]
        if not len(rows):
            return rows
        counts = np.zeros(len(rows), dtype=np.intp)
        for parcel in parcels:
            counts += parcel.counts(self.reach, self.nodes, rows)
        budget = np.inf if self.rule.budget is None else self.rule.budget
        return rows[counts > np.where(ticking[rows], budget, 0)]

    def _ration(self, parcels: list[Parcel], ticking: Mask) -> list[Parcel]:
        """Let crowded or stopped nodes read within their budget; keep what they leave."""
        edge = np.concatenate([parcel.edge for parcel in parcels])
        order = np.concatenate([parcel.order for parcel in parcels])
        keep = self._merge(parcels, edge, order) if self.rule.newest else None
        target = edge // self.reach
        ranked = np.lexsort((order, target) if keep is None else (order, ~keep, target))
        sorted_target = target[ranked]
        new = np.flatnonzero(np.r_[True, sorted_target[1:] != sorted_target[:-1]])
        place = np.arange(len(ranked)) - np.repeat(new, np.diff(np.r_[new, len(ranked)]))
        rank = np.empty(len(ranked), dtype=np.intp)
        rank[ranked] = place
        budget = len(ranked) if self.rule.budget is None else self.rule.budget
        readable = np.where(ticking[target], budget, 0)
        valid = np.ones(len(edge), dtype=np.bool_) if keep is None else keep
        reading = valid & (rank < readable)
        staying = valid & ~reading
        if self.rule.limit is not None:
            overflow = staying & (rank - readable >= self.rule.limit)
            self.traffic.full += int(np.count_nonzero(overflow))
            staying &= ~overflow
        bounds = np.cumsum([len(parcel) for parcel in parcels])[:-1]
        pieces = zip(parcels, np.split(reading, bounds), np.split(staying, bounds), strict=True)
        read = []
        for parcel, mine, rest in pieces:
            read.append(parcel.take(mine))
            if rest.any():
                self.inbox.append(parcel.take(rest))
        self._compact()
        self.traffic.left += sum(len(parcel) for parcel in self.inbox)
        return read

    def _merge(self, parcels: list[Parcel], edge: Indices, order: NDArray[np.int64]) -> Mask | None:
        """Keep one unread message per sender of the newest-only kinds; None when all stay."""
        kind = np.concatenate([np.full(len(parcel), parcel.kind) for parcel in parcels])
        sequence = np.concatenate([parcel.sequence for parcel in parcels])
        keep = np.ones(len(edge), dtype=np.bool_)
        for only in self.rule.newest_kinds:
            mine = np.flatnonzero(kind == only)
            mine = mine[np.lexsort((order[mine], edge[mine]))]
            if len(mine) < 2:
                continue
            first = np.flatnonzero(np.r_[True, edge[mine][1:] != edge[mine][:-1]])
            last = np.r_[first[1:], len(mine)] - 1
            sequence[mine[first]] = sequence[mine[last]]
            keep[mine] = False
            keep[mine[first]] = True
        dropped = len(keep) - int(np.count_nonzero(keep))
        if dropped == 0:
            return None
        self.traffic.merged += dropped
        bounds = np.cumsum([len(parcel) for parcel in parcels])[:-1]
        for parcel, renewed in zip(parcels, np.split(sequence, bounds), strict=True):
            parcel.sequence = renewed
        return keep

    def _compact(self) -> None:
        """Join the unread parcels of each kind, so that their number stays bounded."""
        by_kind: dict[int, list[Parcel]] = {}
        for parcel in self.inbox:
            by_kind.setdefault(parcel.kind, []).append(parcel)
        self.inbox = [join(parcels) for parcels in by_kind.values()]

    def move(self, place: Indices) -> None:
        """Take messages under way to another reach; those whose edge is gone are lost.

        Args:
            place: new edge of each old edge, -1 for none.
        """
        self.inbox = [moved for parcel in self.inbox if len(moved := _moved(parcel, place))]
        flight = []
        for due, parcel in self._flight:
            lives = place[parcel.edge] >= 0
            if lives.any():
                flight.append((due[lives], _moved(parcel, place)))
        self._flight = flight

    def drop_inbox(self, nodes: Mask) -> None:
        """Lose the unread messages of `nodes`, shape (N,), as at a crash."""
        kept = [parcel.take(~nodes[parcel.edge // self.reach]) for parcel in self.inbox]
        self.inbox = [parcel for parcel in kept if len(parcel)]

    def backlog(self) -> NDArray[np.int64]:
        """Return the number of delivered, unread messages per node, shape (N,)."""
        counts = np.zeros(self.nodes, dtype=np.int64)
        for parcel in self.inbox:
            counts += np.bincount(parcel.edge // self.reach, minlength=self.nodes)
        return counts

    def capture(self) -> Captured:
        """Return inboxes and flight as arrays."""
        captured: Captured = {}
        pack(captured, "inbox", self.inbox)
        pack(captured, "flight", [parcel for _, parcel in self._flight])
        for number, (due, _) in enumerate(self._flight):
            captured[f"flight.{number:03d}.due"] = due.copy()
        return captured

    def restore(self, captured: Captured) -> None:
        """Take inboxes and flight back."""
        self.inbox = [parcel for _, parcel in unpack(captured, "inbox")]
        self._flight = [
            (captured[f"{prefix}.due"].copy(), parcel)
            for prefix, parcel in unpack(captured, "flight")
        ]


def _moved(parcel: Parcel, place: Indices) -> Parcel:
    kept = parcel.take(place[parcel.edge] >= 0)
    kept.edge, kept.most = place[kept.edge], None
    return kept
