"""What the flock layer tells: columns per tick, ballots, statistics and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flockcore.flock.codes import Code, Health, ModuleState, ProposalKind, Result, Vote
from flockcore.flock.decay import Component
from flockcore.kernel.layer import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

    from flockcore.flock.layer import Flock
    from flockcore.flock.outbox import Completions
    from flockcore.flock.readings import Readings

__all__ = [
    "LOGS",
    "BallotView",
    "FlockStatistics",
    "Tally",
    "ballot_views",
    "count_statistics",
    "describe_events",
]

LOGS: Mapping[str, dict[str, DTypeLike]] = {
    "health": {"edge": np.int32, "peer": np.int32, "before": np.uint8, "after": np.uint8},
    "states": {"node": np.int32, "before": np.uint8, "after": np.uint8},
    "proposals": {
        "node": np.int32,
        "code": np.int8,
        "ballot": np.int32,
        "kind": np.int16,
        "data": np.int64,
        "threshold": np.int64,
        "voters": (np.int32, (16,)),
    },
    "votes": {"node": np.int32, "voter": np.int32, "ballot": np.int32, "vote": np.int16},
    "endings": {
        "node": np.int32,
        "proposer": np.int32,
        "ballot": np.int32,
        "kind": np.int16,
        "data": np.int64,
        "result": np.uint8,
        "votes": np.int16,
        "yes": np.int16,
        "no": np.int16,
        "eligible": np.int16,
    },
    "notes": {"code": np.uint8, "node": np.int32, "other": np.int32},
}
"""Logs of the layer. Voters, peers and nodes are node numbers, -1 where there is none.

Who is at the far end of an edge may change when a node joins, hence the peer beside it.
"""

NOTES = ("holds evidence against", "drops all messages of")
"""What the codes of the notes mean."""


@dataclass(slots=True)
class Tally:
    """Running counts of beliefs, and counts of one tick.

    Attributes:
        beliefs: (observer, peer) pairs by `Health`, of observers that are members and not
            crashed.
        opened: ballots opened in this branch of the tick.
        open: ballots open at their proposer.
    """

    beliefs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, dtype=np.int64))
    false_suspect: int = 0
    false_dead: int = 0
    false_dead_healthy: int = 0
    elections: int = 0
    reforming: int = 0
    opened: int = 0
    approved: int = 0
    rejected: int = 0
    timed_out: int = 0
    cancelled: int = 0

    def clear_tick(self) -> None:
        """Start a new tick."""
        self.false_suspect = self.false_dead = self.false_dead_healthy = 0
        self.elections = self.reforming = 0
        self.opened = self.approved = self.rejected = self.timed_out = self.cancelled = 0

    def recount(self, flock: Readings) -> None:
        """Count all beliefs anew."""
        rows = ~(flock.world.crashed | flock.world.absent)
        pairs = (flock.peer >= 0) & rows[:, None]
        counts = np.bincount(flock.heartbeat.health[pairs], minlength=4)
        self.beliefs = counts.astype(np.int64)

    def count(
        self,
        edge: NDArray[np.intp],
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        flock: Readings,
    ) -> None:
        """Take changes of belief into account."""
        self.beliefs += np.bincount(after, minlength=4) - np.bincount(before, minlength=4)
        bad = (after >= Health.SUSPECT).nonzero()[0]
        if not len(bad):
            return
        dead = after[bad] == Health.DEAD
        if flock.everyone and not dead.any():
            self.false_suspect += len(bad)
            return
        edge = edge[bad]
        really_up = flock.world.up[flock.channel.source(edge)]
        if not dead.any():
            self.false_suspect += int(np.count_nonzero(really_up))
            return
        false_dead = really_up & dead
        self.false_suspect += int(np.count_nonzero(really_up & ~dead))
        self.false_dead += int(np.count_nonzero(false_dead))
        healthy = flock.world.every[edge // flock.slots] == 1
        self.false_dead_healthy += int(np.count_nonzero(false_dead & healthy))

    def endings(self, ended: Completions, ids: NDArray[np.int32]) -> None:
        """Count ballots that ended at their proposer."""
        result = ended.result[ended.proposer == ids[ended.row]]
        self.approved += int(np.count_nonzero(result == Result.APPROVED))
        self.rejected += int(np.count_nonzero(result == Result.REJECTED))
        self.timed_out += int(np.count_nonzero(result == Result.TIMEOUT))
        self.cancelled += int(np.count_nonzero(result == Result.CANCELLED))

    def columns(self, flock: Readings) -> Mapping[str, int]:
        """Return the columns of this tick."""
        traffic, state = flock.channel.traffic, flock.state
        load = state.own[Component.LOAD]
        return {
            "alive": int(self.beliefs[Health.ALIVE]),
            "suspect": int(self.beliefs[Health.SUSPECT]),
            "dead": int(self.beliefs[Health.DEAD]),
            "unknown": int(self.beliefs[Health.UNKNOWN]),
            "sent": traffic.sent,
            "delivered": traffic.delivered,
            "dropped_loss": traffic.lost,
            "dropped_cut": traffic.cut,
            "dropped_dead": traffic.down,
            "dropped_full": traffic.full,
            "merged": traffic.merged,
            "duplicated": traffic.duplicated,
            "delayed": traffic.delayed,
            "backlog": traffic.left,
            "bytes": traffic.octets,
            "false_suspect": self.false_suspect,
            "false_dead": self.false_dead,
            "false_dead_healthy": self.false_dead_healthy,
            "elections": self.elections,
            "reforming": self.reforming,
            "ballots_opened": self.opened,
            "approved": self.approved,
            "rejected": self.rejected,
            "timed_out": self.timed_out,
            "cancelled": self.cancelled,
            "up": len(load) if flock.everyone else int(np.count_nonzero(flock.world.up)),
            "field_mean_load": int(load.sum()) // len(load),
            "field_max_gradient": int(np.abs(state.gradient[Component.LOAD]).max()),
        }


@dataclass(frozen=True, slots=True)
class FlockStatistics:
    """Counters and gauges of the layer.

    Attributes:
        nodes: seats.
        up: nodes that run.
        beliefs: pairs by `Health` name.
        states: nodes by `ModuleState` name.
        ticks: module ticks run.
        degraded: of these, DEGRADED.
        health_changes: changes of belief.
        set_changes: changes of elected sets.
        ballots: ballots opened, own and others'.
        completed: of these, APPROVED or REJECTED.
        messages: copies sent.
        octets: payload bytes of these.
        backlog: delivered, unread messages.
        deepest: most unread messages of one node.
        quarantined: quarantines in force.
    """

    nodes: int
    up: int
    beliefs: Mapping[str, int]
    states: Mapping[str, int]
    ticks: int
    degraded: int
    health_changes: int
    set_changes: int
    ballots: int
    completed: int
    messages: int
    octets: int
    backlog: int
    deepest: int
    quarantined: int


def count_statistics(flock: Flock) -> FlockStatistics:
    """Return the statistics of the present tick."""
    state = flock.state
    counters, backlog = state.counters, state.channel.backlog()
    states = np.bincount(state.module[~flock.world.absent], minlength=len(ModuleState))
    return FlockStatistics(
        nodes=flock.world.nodes,
        up=int(np.count_nonzero(flock.world.up)),
        beliefs={one.name: int(flock.tally.beliefs[one]) for one in Health},
        states={one.name: int(states[one]) for one in ModuleState if states[one]},
        ticks=int(counters.ticks.sum()),
        degraded=int(counters.degraded.sum()),
        health_changes=int(counters.health_changes.sum()),
        set_changes=int(counters.set_changes.sum()),
        ballots=int(counters.started.sum()),
        completed=int(counters.completed.sum()),
        messages=int(counters.sent.sum()),
        octets=int(counters.octets.sum()),
        backlog=int(backlog.sum()),
        deepest=int(backlog.max(initial=0)),
        quarantined=state.quarantine.active,
    )


@dataclass(frozen=True, slots=True)
class BallotView:
    """One ballot as its proposer sees it.

    Attributes:
        proposer: node that opened it.
        ballot: its number at the proposer.
        kind: `ProposalKind` number.
        data: argument of the proposal.
        threshold: raw Q16.16.
        voters: nodes of the electorate, the proposer included.
        votes: their first votes, None where none was heard.
        result: where it stands.
        opened: tick at which it was opened.
        closed: tick at which it ended, None while open.
    """

    proposer: int
    ballot: int
    kind: int
    data: int
    threshold: int
    voters: tuple[int, ...]
    votes: tuple[Vote | None, ...]
    result: Result
    opened: int
    closed: int | None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be decided."""
        return self.closed is None


def ballot_views(flock: Flock) -> list[BallotView]:
    """Return the ballots opened up to the present tick, oldest first."""
    stop = flock.present_tick + 1
    logs = flock.records.logs
    proposals, votes = logs["proposals"].rows(0, stop), logs["votes"].rows(0, stop)
    endings = logs["endings"].rows(0, stop)
    own = np.flatnonzero(endings["node"] == endings["proposer"])
    ends = {
        (int(endings["node"][n]), int(endings["ballot"][n]), int(endings["kind"][n])): n
        for n in own
    }
    heard: dict[tuple[int, int], dict[int, Vote]] = {}
    columns = (votes[name].tolist() for name in ("node", "ballot", "voter", "vote"))
    for node, ballot, voter, vote in zip(*columns, strict=True):
        if vote in (Vote.YES, Vote.NO, Vote.ABSTAIN):
            heard.setdefault((node, ballot), {}).setdefault(voter, Vote(vote))
    found = []
    for n in np.flatnonzero(proposals["code"] == Code.OK).tolist():
        node, ballot = int(proposals["node"][n]), int(proposals["ballot"][n])
        kind = int(proposals["kind"][n])
        voters = tuple(v for v in proposals["voters"][n].tolist() if v >= 0)
        said = heard.get((node, ballot), {})
        if flock.options.allow_self_vote:
            said = {**said, node: Vote.YES}
        end = ends.get((node, ballot, kind))
        found.append(
            BallotView(
                node,
                ballot,
                kind,
                int(proposals["data"][n]),
                int(proposals["threshold"][n]),
                voters,
                tuple(said.get(voter) for voter in voters),
                Result.PENDING if end is None else Result(int(endings["result"][end])),
                int(proposals["tick"][n]),
                None if end is None else int(endings["tick"][end]),
            )
        )
    return found


def describe_events(flock: Flock, since: int) -> tuple[Event, ...]:
    """Return what happened from tick `since` to the present tick, oldest first."""
    stop, logs = flock.present_tick + 1, flock.records.logs
    rows = {name: log.rows(since, stop) for name, log in logs.items()}
    found = [*_health_events(rows["health"])]
    states = rows["states"]
    for tick, node, after in _lines(states, "tick", "node", "after"):
        found.append(Event(tick, "state", node, f"n{node:02d} is {ModuleState(after).name}"))
    for tick, node, code, ballot, kind in _lines(
        rows["proposals"], "tick", "node", "code", "ballot", "kind"
    ):
        what = ProposalKind(kind).name
        if code == Code.OK:
            text = f"n{node:02d} opens ballot {ballot}, {what}"
        else:
            text = f"n{node:02d} cannot open a ballot, {what}: {Code(code).name}"
        found.append(Event(tick, "ballot", node, text))
    names = ("tick", "node", "proposer", "ballot", "result", "yes", "eligible")
    for tick, node, proposer, ballot, result, yes, eligible in _lines(rows["endings"], *names):
        if node == proposer:
            text = f"n{node:02d}'s ballot {ballot} is {Result(result).name}, {yes} of {eligible}"
            found.append(Event(tick, "ballot", node, text))
    for tick, code, node, other in _lines(rows["notes"], "tick", "code", "node", "other"):
        found.append(Event(tick, "quarantine", node, f"n{node:02d} {NOTES[code]} n{other:02d}"))
    return tuple(sorted(found, key=lambda event: event.tick))


def _health_events(rows: Mapping[str, NDArray[np.generic]]) -> list[Event]:
    """One event for all observers that changed their mind about one peer in one tick."""
    if not len(rows["tick"]):
        return []
    subject = rows["peer"].astype(np.int64)
    after = rows["after"].astype(np.int64)
    key = np.stack([rows["tick"].astype(np.int64), subject, after])
    groups, counts = np.unique(key, axis=1, return_counts=True)
    return [
        Event(
            int(tick),
            "health",
            int(node),
            f"n{node:02d} is {Health(int(state)).name} to {count} more",
        )
        for (tick, node, state), count in zip(groups.T.tolist(), counts.tolist(), strict=True)
    ]


def _lines(rows: Mapping[str, NDArray[np.generic]], *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(rows[name].tolist() for name in names), strict=True))
