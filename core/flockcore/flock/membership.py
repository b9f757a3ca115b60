"""Nodes that crash, restart, pause, slow down, leave and join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.reach import Reach, carry, hearers
from flockcore.kernel.faults import (
    Crash,
    Fault,
    Join,
    Leave,
    Pause,
    Restart,
    Resume,
    Slow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flockcore.flock.layer import Flock
    from flockcore.kernel.script import Span

__all__ = ["begin", "end", "reconnect", "renew"]

type Indices = NDArray[np.intp]


def begin(flock: Flock, fault: Fault) -> None:
    """Let a fault of nodes begin."""
    world = flock.world
    match fault:
        case Crash(nodes=nodes):
            rows = _present(flock, nodes)
            world.crashed[rows] = True
            world.paused[rows] = False
            _drop_inboxes(flock, rows)
        case Restart(nodes=nodes):
            renew(flock, _rows(nodes)[world.crashed[_rows(nodes)]])
        case Pause(nodes=nodes):
            rows = _present(flock, nodes)
            world.paused[rows[~world.crashed[rows]]] = True
        case Resume(nodes=nodes):
            world.paused[_rows(nodes)] = False
        case Slow(nodes=nodes, every=every):
            world.every[_rows(nodes)] = every
        case Leave(nodes=nodes):
            rows = _rows(nodes)
            world.absent[rows] = True
            world.crashed[rows] = world.paused[rows] = False
            _drop_inboxes(flock, rows)
        case Join(node=node, x=x, y=y):
            if world.absent[node]:
                world.absent[node] = False
                world.position[node, :2] = x, y
                renew(flock, np.array([node], dtype=np.intp))
                flock.reconnect(flock.find_reach())
        case _:
            return
    flock.tally.recount(flock)


def end(flock: Flock, fault: Fault, holding: Sequence[Span]) -> None:
    """Let a lasting fault of nodes end.

    Args:
        flock: the layer.
        fault: what ends.
        holding: what still holds; of two like faults of one node the other goes on.
    """
    if not isinstance(fault, Crash | Pause | Slow):
        return
    world = flock.world
    others = [
        span.fault
        for span in holding
        if isinstance(span.fault, Crash | Pause | Slow) and type(span.fault) is type(fault)
    ]
    freed = _rows(fault.nodes)
    for other in others:
        freed = freed[~np.isin(freed, other.nodes)]
    match fault:
        case Crash():
            renew(flock, freed[world.crashed[freed]])
            flock.tally.recount(flock)
        case Pause():
            world.paused[freed] = False
        case Slow():
            world.every[_rows(fault.nodes)] = 1
            for other in others:
                if isinstance(other, Slow):
                    both = np.intersect1d(_rows(fault.nodes), _rows(other.nodes))
                    world.every[both] = other.every


def renew(flock: Flock, rows: Indices) -> None:
    """Give nodes fresh state and a new incarnation, as after a crash."""
    if not len(rows):
        return
    state, world = flock.state, flock.world
    world.crashed[rows] = world.paused[rows] = False
    world.incarnation[rows] += 1
    state.heartbeat.reset(rows)
    state.topology.reset(rows)
    state.consensus.reset(rows)
    state.tasks.reset(rows)
    state.quarantine.reset(rows)
    state.book.reset(rows)
    state.accusations.suspect[rows] = 0
    state.gradient[:, rows] = 0
    state.outcome[rows] = 0
    flock.links.refresh(state.topology, rows)
    flock.begin(rows)


def reconnect(flock: Flock, table: Reach) -> None:
    """Move everything that is kept per edge to another reach table."""
    state = flock.state
    before, after = carry(state.topology.peer, table.peer)
    place = np.full(state.topology.peer.size, -1, dtype=np.intp)
    place[before] = after
    state.heartbeat.rebase(before, after)
    state.topology.rebase(table, before, after)
    state.channel.move(place)
    out = hearers(state.topology.peer)
    state.channel.connect(state.topology.peer, (out.start, out.edge))


def _rows(nodes: tuple[int, ...]) -> Indices:
    return np.asarray(nodes, dtype=np.intp)


def _present(flock: Flock, nodes: tuple[int, ...]) -> Indices:
    rows = _rows(nodes)
    return rows[~flock.world.absent[rows]]


def _drop_inboxes(flock: Flock, rows: Indices) -> None:
    mask = np.zeros(flock.world.nodes, dtype=np.bool_)
    mask[rows] = True
    flock.state.channel.drop_inbox(mask)
