"""Who is alive: heartbeats and the suspicion that silence raises (spec ekk, section 6).

Every observer keeps one entry for each slot of its reach. An entry that has been heard carries the
time at which silence changes it next, so a tick is one comparison over the whole flock; the time
at which it was last heard follows from that deadline and the health, and is not stored again.

Fixes of the original: a clock that steps backwards makes nobody dead (Q20), settings that switch
the detector off are refused (Q21), and a peer that goes from ALIVE to DEAD at once is reported as
suspect first (Q22).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.flock.codes import Code, Health
from flockcore.flock.settings import HeartbeatOptions
from flockcore.flock.transitions import NO_TRANSITIONS, Transitions

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEVER", "Heartbeat", "HeartbeatOptions", "Transitions"]

NEVER = int(np.iinfo(np.int64).max)
"""A deadline that never comes; the silence of a peer that was never heard."""

_FAR = 2**62
"""Added to the time at which a DEAD peer was last heard: no clock gets there."""

_ALIVE, _SUSPECT, _DEAD = np.uint8(Health.ALIVE), np.uint8(Health.SUSPECT), np.uint8(Health.DEAD)
_MAX_MISSED = 255
_OUT_OF_ORDER = 128
_NO_ROWS = np.zeros(0, dtype=np.intp)


@cache
def _ahead(period_us: int, life_us: int) -> NDArray[np.int64]:
    """How far ahead of the last heartbeat the deadline lies, by `Health`."""
    return np.array([0, period_us, life_us, _FAR], dtype=np.int64)


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """Beliefs of N observers with R slots each. Times are in microseconds.

    Attributes:
        health: `Health` of the peer in each slot, UNKNOWN where untracked, shape (N, R).
        tracked: Whether the slot's peer is observed, shape (N, R).
        deadline: Time at which silence changes the health next, shape (N, R): last heard plus one
            period while ALIVE, plus `timeout_count` periods while SUSPECT, beyond every clock
            while DEAD or UNKNOWN.
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
        fresh = edges[~present]
        tracked[fresh] = True
        if self.options.expire_unknown:
            self.deadline.reshape(-1)[fresh] = now + self._life
        return np.where(present, np.int8(Code.ALREADY_EXISTS), np.int8(Code.OK))

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
        # "clip" here and below spares numpy a second pass over the edges, which are in range.
        before = self.health.reshape(-1).take(edges, mode="clip")
        revived = (before != _ALIVE).nonzero()[0]
        if self.options.reject_replays:
            keep = self.tracked.reshape(-1)[edges]
            keep[keep] = self._judge(edges[keep], sequences[keep], before[keep])
            edges, sequences, before = edges[keep], sequences[keep], before[keep]
            revived = (before != _ALIVE).nonzero()[0]
        if self.options.track_gaps:
            self._note_gaps(edges, before, revived, now)
        self.deadline.reshape(-1)[edges] = now + self.options.period_us
        self.sequence.reshape(-1)[edges] = sequences
        if not len(revived):
            return NO_TRANSITIONS
        edges, before = edges[revived], before[revived]
        known = self.tracked.reshape(-1)[edges]
        if not known.all():
            # Cheaper than to sort the few strangers out before: they become untracked again.
            self._forget(edges[~known])
            edges, before = edges[known], before[known]
        return self._revive(edges, before) if len(edges) else NO_TRANSITIONS

    def tick(self, now: int, ticking: NDArray[np.bool_] | None = None) -> Transitions:
        """Let silence tell: SUSPECT after one period, DEAD after `timeout_count` of them.

        Args:
            now: Time in microseconds.
            ticking: Nodes that run in this tick, shape (N,); None means all.
        """
        if ticking is None:
            np.maximum(self.last_tick, now, out=self.last_tick)
        else:
            np.maximum(self.last_tick, now, out=self.last_tick, where=ticking)
        due = (self.deadline.reshape(-1) <= now).nonzero()[0]
        if ticking is not None and len(due):
            due = due[ticking[due // self.slots]]
        return self._expire(due, now) if len(due) else NO_TRANSITIONS

    def due_to_send(self, now: int, ticking: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """Return the nodes whose heartbeat leaves now, and note that it did.

        Args:
            now: Time in microseconds.
            ticking: Nodes that run in this tick, shape (N,); None means all.

        Returns:
            Rows, ascending. The message of a row carries its `send_sequence`, already advanced.
        """
        if not self.options.auto_broadcast:
            return _NO_ROWS
        due = now - self.last_send >= self.options.period_us
        if ticking is not None:
            due &= ticking
        rows = due.nonzero()[0]
        self.last_send[rows] = now
        self.send_sequence[rows] += 1
        return rows

    def last_seen(self, edges: NDArray[np.intp] | None = None) -> NDArray[np.int64]:
        """Time of the last heartbeat, 0 before the first, shape of `edges`, or (N, R) without."""
        if edges is None:
            return self._heard(self.health, self.deadline)
        return self._heard(self.health.reshape(-1)[edges], self.deadline.reshape(-1)[edges])

    def _heard(self, health: NDArray[np.uint8], deadline: NDArray[np.int64]) -> NDArray[np.int64]:
        """Work out when a peer was last heard from what its silence leads to next."""
        heard = deadline - _ahead(self.options.period_us, self._life).take(health)
        heard *= health != Health.UNKNOWN
        return heard

    def missed(self) -> NDArray[np.int64]:
        """Periods missed at each observer's last tick, 0..255, shape (N, R)."""
        silent = (self.last_tick[:, None] - self.last_seen()) // self.options.period_us
        return np.where(self.health >= _SUSPECT, silent.clip(0, _MAX_MISSED), 0)

    def silence(self, now: int) -> NDArray[np.int64]:
        """Time since each peer was last heard, `NEVER` for those that never were, shape (N, R)."""
        last = self.last_seen()
        return np.where(last > 0, np.maximum(now - last, 0), NEVER)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Give `rows` the state of a node that has just started."""
        base = np.asarray(rows, dtype=np.intp)[:, None] * self.slots
        self._forget((base + np.arange(self.slots, dtype=np.intp)).reshape(-1))
        for column in (self.last_tick, self.last_send, self.send_sequence):
            column[rows] = 0

    def rebase(self, before: NDArray[np.intp], after: NDArray[np.intp]) -> None:
        """Move the entries of edges `before` to edges `after`, see `reach.carry`; forget others."""
        tables = (self.health, self.tracked, self.deadline, self.sequence, self.average_gap)
        for table in tables:
            kept = table.reshape(-1)[before]
            table[...] = NEVER if table is self.deadline else 0
            table.reshape(-1)[after] = kept

    @property
    def _life(self) -> int:
        return self.options.timeout_count * self.options.period_us

    def _forget(self, edges: NDArray[np.intp]) -> None:
        for table in (self.health, self.tracked, self.sequence, self.average_gap):
            table.reshape(-1)[edges] = 0
        self.deadline.reshape(-1)[edges] = NEVER

    def _revive(self, edges: NDArray[np.intp], before: NDArray[np.uint8]) -> Transitions:
        if not (edges[1:] > edges[:-1]).all():
            order = np.argsort(edges)
            edges, before = edges[order], before[order]
        self.health.reshape(-1)[edges] = _ALIVE
        return Transitions(edges, before, _all(_ALIVE, len(edges)), len(edges))

    def _note_gaps(
        self,
        edges: NDArray[np.intp],
        health: NDArray[np.uint8],
        revived: NDArray[np.intp],
        now: int,
    ) -> None:
        """Mean of the gaps: (7 mean + gap) / 8, which starts from 0 and has no first gap."""
        due = self.deadline.reshape(-1).take(edges, mode="clip")
        averages = self.average_gap.reshape(-1)
        if len(revived):
            heard = self._heard(health[revived], due[revived])
        gap = np.subtract(now + self.options.period_us, due, out=due)
        if len(revived):
            gap[revived] = now - heard
        mean = averages.take(edges, mode="clip")
        # Read as unsigned, a clock that stepped back and a peer never heard are both out of range.
        usual = gap.view(np.uint64).max(initial=0) < now
        if not usual:
            first = np.flatnonzero(gap >= now)
            np.maximum(gap, 0, out=gap)
        # (7 mean + gap) / 8 rounded down is mean + (gap - mean) / 8 rounded down.
        gap -= mean
        gap >>= 3
        gap += mean
        if not usual:
            gap[first] = mean[first]
        averages[edges] = gap

    def _judge(
        self,
        edges: NDArray[np.intp],
        sequences: NDArray[np.uint8],
        health: NDArray[np.uint8],
    ) -> NDArray[np.bool_]:
        """Which numbers are newer, modulo 256 (RFC 1982); the dead and unknown start anew."""
        ahead = (sequences - self.sequence.reshape(-1)[edges]).astype(np.uint8)
        anew = (health != _ALIVE) & (health != _SUSPECT)
        next_in_line = (ahead > 0) & (ahead < _OUT_OF_ORDER) & ~anew
        newer: NDArray[np.bool_] = anew | next_in_line
        self.gaps += int(ahead[next_in_line].sum(dtype=np.int64)) - int(next_in_line.sum())
        self.replays += int((~newer).sum())
        return newer

    def _expire(self, due: NDArray[np.intp], now: int) -> Transitions:
        before, deadline = self.health.reshape(-1)[due], self.deadline.reshape(-1)[due]
        if (before == _ALIVE).all():
            end = deadline + (self._life - self.options.period_us)
            if end.min() > now:
                self.health.reshape(-1)[due] = _SUSPECT
                self.deadline.reshape(-1)[due] = end
                return Transitions(due, before, _all(_SUSPECT, len(due)), len(due))
        last = self._heard(before, deadline)
        dead = (last + self._life <= now) | (before == Health.UNKNOWN)
        after = _SUSPECT + dead
        self.health.reshape(-1)[due] = after
        # Of two plain integers numpy would make 32-bit ones in the browser.
        last += np.where(dead, np.int64(_FAR), np.int64(self._life))
        self.deadline.reshape(-1)[due] = last
        if not dead.any():
            return Transitions(due, before, after, len(due))
        leap = dead & (before == _ALIVE)
        # A peer that leaps from ALIVE to DEAD is listed twice: as suspect, then as dead.
        edge, was = due.repeat(1 + leap), before.repeat(1 + leap)
        became = self.health.reshape(-1)[edge]
        second = np.flatnonzero(leap) + np.arange(1, leap.sum() + 1)
        was[second], became[second - 1] = _SUSPECT, _SUSPECT
        return Transitions(edge, was, became, len(due))


def _all(health: np.uint8, count: int) -> NDArray[np.uint8]:
    same = np.empty(count, dtype=np.uint8)
    same.fill(health)
    return same
