"""What must hold of a flock, judged at one tick (spec ekk, section 17).

A verdict is *unknown* where the present state cannot decide it: nothing to judge yet, or the flock
is cut or too fresh from a fault to have had its chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.flock.codes import Health, Result
from flockcore.kernel.layer import Status, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.flock.layer import Flock

__all__ = ["verdicts"]

_ONE = 65536


def verdicts(flock: Flock) -> tuple[Verdict, ...]:
    """Return the verdict on every invariant of the layer, in a fixed order."""
    return (
        nearest_elected(flock),
        no_false_death(flock),
        no_dead_neighbour(flock),
        one_result(flock),
        quorum_kept(flock),
        inboxes_drain(flock),
        views_converge(flock),
        liars_silenced(flock),
    )


def nearest_elected(flock: Flock) -> Verdict:
    """The elected set is the k nearest known, electable peers, in order (PTP-1, PTP-4)."""
    topology = flock.topology
    name = f"k = {topology.k} elected"
    running = np.flatnonzero(flock.world.up)
    if not topology.known[running].any():
        return _unknown(name, f"none of {len(running)} knows a peer yet")
    electable = topology.known[running] & ~topology.barred[running]
    key = (topology.distance[running] << 32) | topology.peer[running]
    key = np.where(electable, key, np.iinfo(np.int64).max)
    order = np.argsort(key, axis=1, kind="stable")[:, : topology.k]
    wanted = np.where(np.take_along_axis(electable, order, axis=1), order, -1)
    elected = topology.elected[running, : topology.k]
    if wanted.shape[1] < topology.k:
        wanted = np.pad(wanted, ((0, 0), (0, topology.k - wanted.shape[1])), constant_values=-1)
    wrong = running[(wanted != elected).any(axis=1)]
    if len(wrong):
        return _violated(name, f"{_node(wrong[0])} skips a nearer peer", wrong)
    least = int(topology.count[running].min())
    return _holds(name, f"least {least} of {flock.world.nodes}")


def no_false_death(flock: Flock) -> Verdict:
    """No running node holds a running peer DEAD."""
    name = "No false DEAD"
    health, up = _beliefs(flock)
    if not (health > Health.UNKNOWN).any():
        return _unknown(name, f"nobody of {flock.world.nodes} was heard yet")
    wrong = (health == Health.DEAD) & up
    per_node = wrong.sum(axis=1)
    if per_node.any():
        worst = int(per_node.argmax())
        reason = f"{_node(worst)} holds {int(per_node[worst])} live as DEAD"
        return _violated(name, reason, np.flatnonzero(per_node))
    return _holds(name, f"{int((health == Health.DEAD).sum())} DEAD, all of them down")


def no_dead_neighbour(flock: Flock) -> Verdict:
    """Nobody's elected neighbour is held DEAD once the tick has ended (PTP-8)."""
    name = "No dead neighbour"
    edges = flock.topology.elected_edges()
    there = (edges >= 0) & flock.world.up[:, None]
    if not there.any():
        return _unknown(name, f"0 of {flock.world.nodes} elected anybody")
    health = flock.heartbeat.health.reshape(-1)[np.maximum(edges, 0)]
    wrong = np.flatnonzero(((health == Health.DEAD) & there).any(axis=1))
    if len(wrong):
        return _violated(name, f"{_node(wrong[0])} elects a DEAD peer", wrong)
    return _holds(name, f"{int(there.sum())} links, none to a DEAD")


def one_result(flock: Flock) -> Verdict:
    """No two nodes hold different final results of one ballot (PCN-4, PCN-14)."""
    name = "One result per ballot"
    ends = flock.records.logs["endings"].rows(0, flock.present_tick + 1)
    final = np.flatnonzero((ends["result"] != Result.EXPIRED) & (ends["result"] > 0))
    if not len(final):
        return _unknown(name, "0 ballots decided yet")
    key = np.stack([ends[n][final].astype(np.int64) for n in ("proposer", "ballot", "kind")])
    groups, member = np.unique(key, axis=1, return_inverse=True)
    member = np.ravel(member)
    result = ends["result"][final].astype(np.int64)
    low, high = np.full(groups.shape[1], 9), np.zeros(groups.shape[1], np.int64)
    np.minimum.at(low, member, result)
    np.maximum.at(high, member, result)
    split = np.flatnonzero(low != high)
    if len(split):
        proposer, ballot = groups[0, split[0]], groups[1, split[0]]
        reason = f"{_node(proposer)} ballot {ballot} ended 2 ways"
        return _violated(name, reason, groups[0, split])
    return _holds(name, f"0 of {groups.shape[1]} decided twice")


def quorum_kept(flock: Flock) -> Verdict:
    """An approval has the votes that its threshold asks for (PCN-2)."""
    name = "Approvals have votes"
    stop = flock.present_tick + 1
    ends = flock.records.logs["endings"].rows(0, stop)
    mine = (ends["result"] == Result.APPROVED) & (ends["node"] == ends["proposer"])
    approved = np.flatnonzero(mine)
    if not len(approved):
        return _unknown(name, "0 ballots approved yet")
    opened = flock.records.logs["proposals"].rows(0, stop)
    threshold = {
        (int(node), int(ballot)): int(asked)
        for node, ballot, asked in zip(
            opened["node"], opened["ballot"], opened["threshold"], strict=True
        )
    }
    for n in approved.tolist():
        node, yes, size = int(ends["node"][n]), int(ends["yes"][n]), int(ends["eligible"][n])
        asked = threshold.get((node, int(ends["ballot"][n])), 0)
        if yes * _ONE < size * asked or yes > size:
            reason = f"{_node(node)} approved with {yes} of {size}"
            return _violated(name, reason, np.array([node]))
    return _holds(name, f"{len(approved)} approved, all covered")


def inboxes_drain(flock: Flock) -> Verdict:
    """No running node is further behind than it can read within a heartbeat period (PSY-6)."""
    name = "Inboxes drain"
    traffic_seen = flock.state.counters.sent.any()
    if not traffic_seen:
        return _unknown(name, "0 messages sent yet")
    backlog = flock.channel.backlog()
    ticks = max(1, flock.period_us // flock.clock.tick_us)
    room = flock.options.receive_budget * ticks // flock.world.every
    behind = np.flatnonzero((backlog > room) & flock.world.up)
    if len(behind):
        worst = behind[backlog[behind].argmax()]
        return _violated(name, f"{_node(worst)} has {int(backlog[worst])} unread", behind)
    return _holds(name, f"most {int(backlog.max())} unread, {int(room.min())} allowed")


def views_converge(flock: Flock) -> Verdict:
    """Long enough after the last fault no belief of a running node is wrong (PSY-2, PSY-3).

    A running peer that is SUSPECT, or that a fresh node has not heard announce itself yet, is in
    doubt, not wrong.
    """
    name = "Views converge"
    if flock.network.divided:
        return _unknown(name, f"cannot be told in {len(set(flock.sides().tolist()))} sides")
    ticks = max(1, flock.period_us // flock.clock.tick_us)
    wait = ticks * (flock.options.timeout_count + 2) - (flock.present_tick - flock.last_fault)
    wait += int(flock.world.every.max()) - 1  # a slow observer looks up later
    if wait > 0:
        return _unknown(name, f"can be told in {wait} ticks")
    health, up = _beliefs(flock)
    there = (flock.peer >= 0) & flock.world.up[:, None]
    there &= ~_quarantined(flock)
    wrong = there & np.where(up, health == Health.DEAD, health == Health.ALIVE)
    if wrong.any():
        nodes = np.flatnonzero(wrong.any(axis=1))
        return _violated(name, f"{int(wrong.sum())} wrong in {len(nodes)} views", nodes)
    doubts = int((there & up & (health != Health.ALIVE)).sum())
    return _holds(name, f"{int(there.sum())} beliefs, {doubts} in doubt")


def liars_silenced(flock: Flock) -> Verdict:
    """A quarantined peer is neither elected nor heard (PBZ-3)."""
    name = "Liars silenced"
    if not flock.state.quarantine.active:
        return _unknown(name, "0 nodes quarantined")
    silenced = _quarantined(flock)
    wrong = silenced & (flock.topology.chosen | flock.heartbeat.tracked)
    if wrong.any():
        nodes = np.flatnonzero(wrong.any(axis=1))
        return _violated(name, f"{_node(nodes[0])} still hears one", nodes)
    return _holds(name, f"{flock.state.quarantine.active} quarantines in force")


def _beliefs(flock: Flock) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Beliefs of running observers (UNKNOWN elsewhere), and whether the peer really runs."""
    peer = flock.peer
    there = (peer >= 0) & flock.world.up[:, None]
    health = np.where(there, flock.heartbeat.health, np.uint8(Health.UNKNOWN))
    return health, there & flock.world.up[np.maximum(peer, 0)]


def _quarantined(flock: Flock) -> NDArray[np.bool_]:
    edges = np.arange(flock.peer.size, dtype=np.intp)
    if not flock.state.quarantine.active:
        return np.zeros(flock.peer.shape, dtype=np.bool_)
    return flock.quarantined(edges).reshape(flock.peer.shape)


def _node(node: int | np.integer) -> str:
    return f"n{int(node):02d}"


def _holds(name: str, reason: str) -> Verdict:
    return Verdict(name, Status.HOLDS, reason)


def _unknown(name: str, reason: str) -> Verdict:
    return Verdict(name, Status.UNKNOWN, reason)


def _violated(name: str, reason: str, nodes: NDArray[np.integer]) -> Verdict:
    return Verdict(name, Status.VIOLATED, reason, tuple(int(node) for node in nodes[:64]))
