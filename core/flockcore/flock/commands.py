"""Commands of the script: ballots, inhibitions, fields, tasks, k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.flock.codes import ProposalKind
from flockcore.flock.fixed import ONE
from flockcore.kernel.faults import (
    AddTask,
    Fault,
    Inhibit,
    Join,
    Lift,
    Propose,
    Restart,
    Resume,
    SetField,
    SetNeighbours,
)

if TYPE_CHECKING:
    from flockcore.flock.layer import Flock

__all__ = ["carry_out", "refuse"]


def carry_out(flock: Flock, command: Fault, tick: int) -> None:
    """Carry out a command at the start of a tick."""
    state, now = flock.state, flock.now
    match command:
        case Propose(node=node, kind=kind, data=data, threshold=threshold):
            if not flock.world.up[node]:
                return
            quarantine = kind == ProposalKind.QUARANTINE
            said = int(flock.ids[data]) if quarantine else data
            without = said if quarantine else 0
            flock.propose(node, kind, said, threshold, now, tick, without=without, command=True)
        case Inhibit(node=node, proposer=proposer, ballot=ballot):
            if flock.world.up[node]:
                row = np.array([node], dtype=np.intp)
                reply = state.consensus.inhibit(row, int(flock.ids[proposer]), ballot, now)
                flock.count_endings(reply.completions, tick)
                flock.post(reply.outbox, tick, command=True)
        case SetField(node=node, component=component, value=value):
            state.own[component, node] = int(value * ONE)
        case SetNeighbours(k=k):
            state.topology.set_neighbours(k)
            flock.refresh_links()
        case AddTask(node=node):
            _add_task(flock, command, now)
        case Lift(node=node):
            _lift(flock, node)


def _add_task(flock: Flock, command: AddTask, now: int) -> None:
    tasks, row = flock.state.tasks, np.array([command.node], dtype=np.intp)
    _, task = tasks.add(row, priority=command.priority, period=command.period_us, need=command.need)
    if task[0] < 0:
        return
    tasks.ready(row, task)
    if command.deadline_us is not None:
        deadline = now + command.deadline_us
        tasks.set_deadline(row, task, deadline=deadline, duration=command.duration_us)


def _lift(flock: Flock, node: int) -> None:
    state = flock.state
    suspect = int(flock.ids[node])
    rows = np.arange(flock.world.nodes, dtype=np.intp)
    rows = rows[state.quarantine.holds(rows, suspect)]
    if not len(rows):
        return
    state.quarantine.lift(rows, suspect)
    edges = state.channel.edge_from(np.full(len(rows), node, dtype=np.intp), rows)
    edges = edges[edges >= 0]
    # It announced itself before it was silenced: nobody has to wait for it to do so again.
    state.heartbeat.add(edges, flock.now)
    state.topology.discover(edges)
    flock.refresh_links()


def refuse(flock: Flock, fault: Fault) -> None:
    """Refuse what cannot be carried out as things stand.

    Raises:
        FlockError: what is wrong and what is allowed.
    """
    world = flock.world
    match fault:
        case Join(node=node) if not world.absent[node]:
            raise FlockError(
                f"node {node} is a member already; allowed is a node that is absent"
                f" ({_some(world.absent)})"
            )
        case Restart(nodes=nodes) if not world.crashed[list(nodes)].any():
            raise FlockError(
                f"none of nodes {_list(nodes)} is crashed; allowed are crashed nodes"
                f" ({_some(world.crashed)})"
            )
        case Resume(nodes=nodes) if not world.paused[list(nodes)].any():
            raise FlockError(
                f"none of nodes {_list(nodes)} is paused; allowed are paused nodes"
                f" ({_some(world.paused)})"
            )
        case Propose(node=node) | Inhibit(node=node) if not world.up[node]:
            raise FlockError(f"node {node} is not running; allowed are nodes that are up")
        case Propose(kind=ProposalKind.QUARANTINE, data=data) if not 0 <= data < world.nodes:
            raise FlockError(f"quarantine of node {data}; allowed are nodes 0 to {world.nodes - 1}")


def _list(nodes: tuple[int, ...]) -> str:
    return ", ".join(map(str, nodes[:8])) + (" ..." if len(nodes) > 8 else "")


def _some(mask: np.ndarray) -> str:
    found = np.flatnonzero(mask).tolist()
    return _list(tuple(found)) if found else "there is none now"
