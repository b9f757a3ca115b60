"""Who is alive: heartbeats and the suspicion that silence raises (spec ekk, section 6).

Every observer keeps one entry for each slot of its reach. An entry that has been heard carries the
time at which silence changes it next, so a tick is one comparison over the whole flock.

Fixes of the original: a clock that steps backwards makes nobody dead (Q20), settings that switch
the detector off are refused (Q21), and a peer that goes from ALIVE to DEAD at once is reported as
suspect first (Q22).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.errors import FlockError
from flockcore.flock.codes import Code, Health

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEVER", "Heartbeat", "HeartbeatOptions", "Transitions"]

NEVER = int(np.iinfo(np.int64).max)
"""A deadline that never comes; the silence of a peer that was never heard."""

_ALIVE, _SUSPECT, _DEAD = np.uint8(Health.ALIVE), np.uint8(Health.SUSPECT), np.uint8(Health.DEAD)
_MAX_MISSED = 255
_OUT_OF_ORDER = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatOptions:
    """Settings of the failure detector.

    Attributes:
        period_us: Time between two heartbeats of a node.
        timeout_count: Missed periods until DEAD, 1..255.
        auto_broadcast: Whether nodes send heartbeats of their own.
        track_gaps: Whether the mean time between heartbeats is kept for every edge.
        reject_replays: Ignore heartbeats that are not newer than the last one of a living peer and
            count those that never came (Q25; the original accepts all).
        expire_unknown: Hold a tracked peer for dead that is never heard within `timeout_count`
            periods (Q04; the original waits for ever).
    """

    period_us: int = 10_000
    timeout_count: int = 5
    auto_broadcast: bool = True
    track_gaps: bool = True
    reject_replays: bool = False
    expire_unknown: bool = False

    def __post_init__(self) -> None:
        """Check the ranges (Q21)."""
        if self.period_us < 1:
            raise FlockError(f"period_us is {self.period_us}; 1 or more is allowed")
        if not 1 <= self.timeout_count <= _MAX_MISSED:
            raise FlockError(
                f"timeout_count is {self.timeout_count}; 1 to {_MAX_MISSED} is allowed"
            )


@dataclass(frozen=True, slots=True)
class Transitions:
    """Changes of health, ascending by edge.

    Attributes:
        edge: Edges, shape (n,). A peer that was ALIVE and is DEAD occurs twice, first as suspect.
        before: Health before, shape (n,).
        after: Health after, shape (n,).
        changed: Number of edges whose health changed, each counted once.
    """

    edge: NDArray[np.intp]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    changed: int

    def into(self, health: Health) -> NDArray[np.intp]:
        """Edges that have come to `health`."""
        edges: NDArray[np.intp] = self.edge[self.after == health]
        return edges


_NOTHING = Transitions(
    edge=np.zeros(0, dtype=np.intp),
    before=np.zeros(0, dtype=np.uint8),
    after=np.zeros(0, dtype=np.uint8),
    changed=0,
)


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """Beliefs of N observers with R slots each. Times are in microseconds.

    Attributes:
        health: `Health` of the peer in each slot, UNKNOWN where untracked, shape (N, R).
        tracked: Whether the slot's peer is observed, shape (N, R).
        last_seen: Time of the last heartbeat, 0 before the first, shape (N, R).
        deadline: Time at which silence changes the health next, shape (N, R).
        sequence: Number in the last heartbeat, shape (N, R).
        average_gap: Running mean of the time between heartbeats, shape (N, R).
        last_tick: Time of the node's last tick, shape (N,).
        last_send: Time of the node's own last heartbeat, shape (N,).
        send_sequence: Heartbeats sent, modulo 256, shape (N,).
        replays: Heartbeats refused (only with `reject_replays`).
        gaps: Heartbeats that never came, by their numbers (only with `reject_replays`).
        options: Settings.
    """

    health: NDArray[np.uint8]
    tracked: NDArray[np.bool_]
    last_seen: NDArray[np.int64]
    deadline: NDArray[np.int64]
    sequence: NDArray[np.uint8]
    average_gap: NDArray[np.int64]
    last_tick: NDArray[np.int64]
    last_send: NDArray[np.int64]
    send_sequence: NDArray[np.uint8]
    replays: int = 0
    gaps: int = 0
    options: HeartbeatOptions

    @classmethod
    def create(cls, options: HeartbeatOptions | None = None, *, nodes: int, slots: int) -> Self:
        """Return `nodes` observers that track nobody yet."""
        table = (nodes, slots)
        return cls(
            health=np.zeros(table, dtype=np.uint8),
            tracked=np.zeros(table, dtype=np.bool_),
            last_seen=np.zeros(table, dtype=np.int64),
            deadline=np.full(table, NEVER, dtype=np.int64),
            sequence=np.zeros(table, dtype=np.uint8),
            average_gap=np.zeros(table, dtype=np.int64),
            last_tick=np.zeros(nodes, dtype=np.int64),
            last_send=np.zeros(nodes, dtype=np.int64),
            send_sequence=np.zeros(nodes, dtype=np.uint8),
            options=HeartbeatOptions() if options is None else options,
        )

    @property
    def slots(self) -> int:
        """Slots of a row, R."""
        return int(self.health.shape[1])

    def add(self, edges: NDArray[np.intp], now: int) -> NDArray[np.int8]:
        """Start to track peers; tracked ones stay as they are.

        Args:
            edges: Edges, each at most once, shape (n,).
            now: Time in microseconds.

        Returns:
            OK or ALREADY_EXISTS for each edge.
        """
        tracked = self.tracked.reshape(-1)
        present = tracked[edges]
        code = np.where(present, np.int8(Code.ALREADY_EXISTS), np.int8(Code.OK))
        fresh = edges[~present]
        tracked[fresh] = True
        if self.options.expire_unknown:
            wait = self.options.timeout_count * self.options.period_us
            self.deadline.reshape(-1)[fresh] = now + wait
        return code

    def remove(self, edges: NDArray[np.intp]) -> NDArray[np.int8]:
        """Stop tracking peers and forget what was known of them.

        Returns:
            OK or NOT_FOUND for each edge.
        """
        present = self.tracked.reshape(-1)[edges]
        self._forget(edges)
        return np.where(present, np.int8(Code.OK), np.int8(Code.NOT_FOUND))

    def receive(
        self, edges: NDArray[np.intp], sequences: NDArray[np.uint8], now: int
    ) -> Transitions:
        """Hear heartbeats: any tracked peer that is heard is ALIVE.

        Args:
            edges: Edges over which one arrived, each at most once, shape (n,).
            sequences: The numbers they carry, shape (n,).
            now: Time in microseconds.

        Returns:
            The peers that were not ALIVE before. Untracked peers are passed over.
        """
        health = self.health.reshape(-1)
        before = health.take(edges)
        revived = np.flatnonzero(before != _ALIVE)
        if len(revived) and not self.tracked.reshape(-1)[edges[revived]].all():
            keep = self.tracked.reshape(-1)[edges]
            return self.receive(edges[keep], sequences[keep], now)
        if self.options.reject_replays:
            keep = self._is_newer(edges, sequences, before)
            if not keep.all():
                return self.receive(edges[keep], sequences[keep], now)
        if self.options.track_gaps:
            self._note_gaps(edges, now)
        self.last_seen.reshape(-1)[edges] = now
        self.deadline.reshape(-1)[edges] = now + self.options.period_us
        self.sequence.reshape(-1)[edges] = sequences
        if not len(revived):
            return _NOTHING
        order = np.argsort(edges[revived])
        edge, was = edges[revived][order], before[revived][order]
        health[edge] = _ALIVE
        return Transitions(edge, was, np.full(len(edge), _ALIVE), len(edge))

    def tick(self, now: int, ticking: NDArray[np.bool_] | None = None) -> Transitions:
        """Let silence tell: SUSPECT after one period, DEAD after `timeout_count` of them.

        Args:
            now: Time in microseconds.
            ticking: Nodes that run in this tick, shape (N,); None means all.
        """
        if ticking is None:
            np.maximum(self.last_tick, now, out=self.last_tick)
        else:
            self.last_tick[ticking] = np.maximum(self.last_tick[ticking], now)
        due = np.flatnonzero(self.deadline.reshape(-1) <= now)
        if ticking is not None and len(due):
            due = due[ticking[due // self.slots]]
        return self._expire(due, now) if len(due) else _NOTHING

    def due_to_send(self, now: int, ticking: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """Return the nodes whose heartbeat leaves now, and note that it did.

        The message carries ``send_sequence[rows]`` as it stands afterwards.
        """
        if not self.options.auto_broadcast:
            return np.zeros(0, dtype=np.intp)
        due = now - self.last_send >= self.options.period_us
        if ticking is not None:
            due &= ticking
        rows = np.flatnonzero(due)
        self.last_send[rows] = now
        self.send_sequence[rows] += 1
        return rows

    def missed(self) -> NDArray[np.int64]:
        """Periods missed at each observer's last tick, 0..255, shape (N, R)."""
        silent = (self.last_tick[:, None] - self.last_seen) // self.options.period_us
        silent = silent.clip(0, _MAX_MISSED)
        return np.where(self.health >= _SUSPECT, silent, 0)

    def silence(self, now: int) -> NDArray[np.int64]:
        """Time since each peer was last heard, `NEVER` for those that never were, shape (N, R)."""
        return np.where(self.last_seen > 0, np.maximum(now - self.last_seen, 0), NEVER)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Give `rows` the state of a node that has just started."""
        base = np.asarray(rows, dtype=np.intp)[:, None] * self.slots
        self._forget((base + np.arange(self.slots, dtype=np.intp)).reshape(-1))
        for column in (self.last_tick, self.last_send, self.send_sequence):
            column[rows] = 0

    def rebase(self, before: NDArray[np.intp], after: NDArray[np.intp]) -> None:
        """Move the entries of edges `before` to edges `after`, see `reach.carry`; forget others."""
        for table in (
            self.health,
            self.tracked,
            self.last_seen,
            self.deadline,
            self.sequence,
            self.average_gap,
        ):
            kept = table.reshape(-1)[before]
            table[...] = NEVER if table is self.deadline else 0
            table.reshape(-1)[after] = kept

    def _forget(self, edges: NDArray[np.intp]) -> None:
        for table in (
            self.health,
            self.tracked,
            self.last_seen,
            self.sequence,
            self.average_gap,
        ):
            table.reshape(-1)[edges] = 0
        self.deadline.reshape(-1)[edges] = NEVER

    def _note_gaps(self, edges: NDArray[np.intp], now: int) -> None:
        """Mean of the gaps: (7 mean + gap) / 8, which starts from 0 and has no first gap."""
        last = self.last_seen.reshape(-1).take(edges)
        mean = self.average_gap.reshape(-1).take(edges)
        gap = np.maximum(now - last, 0)
        gap += 7 * mean
        gap >>= 3
        self.average_gap.reshape(-1)[edges] = np.where(last > 0, gap, mean)

    def _is_newer(
        self,
        edges: NDArray[np.intp],
        sequences: NDArray[np.uint8],
        health: NDArray[np.uint8],
    ) -> NDArray[np.bool_]:
        """Judge numbers modulo 256 (RFC 1982); a peer that is unknown or dead starts anew."""
        ahead = (sequences - self.sequence.reshape(-1)[edges]).astype(np.uint8)
        anew = (health != _ALIVE) & (health != _SUSPECT)
        newer: NDArray[np.bool_] = anew | ((ahead > 0) & (ahead < _OUT_OF_ORDER))
        if newer.all():
            self.gaps += int(ahead[~anew].sum(dtype=np.int64)) - int((~anew).sum())
        self.replays += int((~newer).sum())
        return newer

    def _expire(self, due: NDArray[np.intp], now: int) -> Transitions:
        health, deadline = self.health.reshape(-1), self.deadline.reshape(-1)
        before = health[due]
        life = self.options.timeout_count * self.options.period_us
        death = np.where(before == Health.UNKNOWN, now, self.last_seen.reshape(-1)[due] + life)
        dead = death <= now
        health[due] = np.where(dead, _DEAD, _SUSPECT)
        deadline[due] = np.where(dead, NEVER, death)
        # A peer that leaps from ALIVE to DEAD is listed twice: as suspect, then as dead.
        leap = dead & (before == _ALIVE)
        edge = np.repeat(due, 1 + leap)
        second = np.flatnonzero(leap) + np.arange(1, leap.sum() + 1)
        was, now_is = before.repeat(1 + leap), health[edge]
        was[second], now_is[second - 1] = _SUSPECT, _SUSPECT
        return Transitions(edge, was, now_is, len(due))
