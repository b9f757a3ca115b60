"""One node from inside: what it believes against what is true, its field, its tasks."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flockcore.flock.codes import Health, ModuleState, NodeStatus, TaskState
from flockpit.instruments.base import Headline, Number, Words
from flockpit.instruments.view import NOT_SEEN, DeckView
from flockpit.look.assets import icon
from flockpit.texts import MINUS, duration, node

__all__ = [
    "COMPONENTS",
    "FieldRow",
    "Inspector",
    "PeerRow",
    "TaskRow",
    "contradiction",
    "field_rows",
    "peer_rows",
    "task_rows",
]

COMPONENTS = ("load", "thermal", "power", "custom 0", "custom 1", "slack")
"""Field components in their order (spec ekk, section 2)."""
_STATUS = {
    NodeStatus.UP: "really up",
    NodeStatus.SLOW: "really up, slow",
    NodeStatus.PAUSED: "really paused",
    NodeStatus.CRASHED: "really crashed",
    NodeStatus.ABSENT: "not in the flock",
}
_ONE = 65536.0
_PEERS = 12


@dataclass(frozen=True, slots=True)
class PeerRow:
    """A peer as one node sees it.

    Attributes:
        peer: the node.
        belief: what is held of it.
        status: what is true of it.
        elected: whether it is an elected neighbour.
        silent: microseconds since it was heard; None when it never was.
    """

    peer: int
    belief: Health
    status: NodeStatus
    elected: bool
    silent: int | None


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A component of one node's field, as shares of 1.

    Attributes:
        name: of the component.
        own: the node's value.
        gradient: what its neighbours have on average beyond it.
    """

    name: str
    own: float
    gradient: float


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task of one node.

    Attributes:
        number: of the task.
        state: where it stands.
        priority: 0 is first.
        runs: how often it ran.
        due_us: microseconds to its deadline; None when it has none.
    """

    number: int
    state: TaskState
    priority: int
    runs: int
    due_us: int | None


def contradiction(row: PeerRow) -> str:
    """Return in what a belief is wrong, or nothing."""
    up = row.status <= NodeStatus.SLOW
    if up and row.belief in (Health.SUSPECT, Health.DEAD):
        return "really up"
    return "really down" if not up and row.belief == Health.ALIVE else ""


def peer_rows(view: DeckView, observer: int) -> list[PeerRow]:
    """Return the peers of a node: elected neighbours, then those about which it is wrong."""
    belief = np.asarray(view.sim.flock.belief(observer))
    elected = view.elected[observer]
    chosen = [int(peer) for peer in elected if peer >= 0]
    silent = view.silence(observer)
    known = np.flatnonzero(belief != NOT_SEEN).tolist()
    rows = [
        PeerRow(
            peer,
            Health(int(belief[peer])) if belief[peer] != NOT_SEEN else Health.UNKNOWN,
            NodeStatus(int(view.truth[peer])),
            peer in chosen,
            silent.get(peer),
        )
        for peer in dict.fromkeys([*chosen, *known])
    ]
    wrong = [row for row in rows if not row.elected and contradiction(row)]
    return [row for row in rows if row.elected] + wrong


def field_rows(view: DeckView, observer: int) -> list[FieldRow]:
    """Return the components of a node's field that it or its neighbours use."""
    flock = view.sim.flock
    own = np.asarray(flock.own)[:, observer] / _ONE
    gradient = np.asarray(flock.gradients)[:, observer] / _ONE
    used = (np.asarray(flock.own) != 0).any(axis=1)
    used[0] = True
    return [
        FieldRow(COMPONENTS[c], float(own[c]), float(gradient[c]))
        for c in np.flatnonzero(used).tolist()
    ]


def task_rows(view: DeckView, observer: int) -> list[TaskRow]:
    """Return a node's tasks in order of their numbers."""
    tasks: Any = view.sim.flock.state.tasks
    return [
        TaskRow(
            number,
            TaskState(int(tasks.state[observer, number])),
            int(tasks.priority[observer, number]),
            int(tasks.runs[observer, number]),
            int(tasks.deadline[observer, number]) - int(view.sim.flock.now)
            if tasks.has_deadline[observer, number]
            else None,
        )
        for number in range(int(tasks.amount[observer]))
    ]


class Inspector(Words):
    """Everything about the first selected node."""

    name: ClassVar[str] = "inspector"

    def __init__(self) -> None:
        super().__init__(("scroll",))

    def headline(self, view: DeckView) -> Headline:
        """Return the node, what is true of it, and the state that it believes itself to be in."""
        if not view.choice.selected:
            return Headline("No node selected")
        first = view.choice.selected[0]
        state = ModuleState(int(view.sim.flock.module_state[first])).name
        status = _STATUS[NodeStatus(int(view.truth[first]))]
        return Headline(node(first), (Number("", state),), status)

    def html(self, view: DeckView) -> str:
        """Return field, neighbours and tasks."""
        if not view.choice.selected:
            return (
                "<p class='words'>Click a node on the map to see its neighbours, what it believes "
                "and what is true, its field and its tasks.</p>"
            )
        first = view.choice.selected[0]
        return _fields(view, first) + _peers(view, first) + _tasks(view, first)


def _fields(view: DeckView, first: int) -> str:
    rows = "".join(
        f"<li><span>{row.name}</span><i class='bar' style='--share:{min(max(row.own, 0), 1):.3f}'>"
        f"</i><b>{row.own:.2f}</b><small>{_signed(row.gradient)}</small></li>"
        for row in field_rows(view, first)
    )
    return f"<h3 class='row'>Field<small>gradient</small></h3><ul class='fields'>{rows}</ul>"


def _signed(value: float) -> str:
    return f"{MINUS if value < 0 else '+'}{abs(value):.2f}"


def _peers(view: DeckView, first: int) -> str:
    rows = peer_rows(view, first)
    elected = sum(row.elected for row in rows)
    wrong = len(rows) - elected
    shown = "".join(_peer(row, view) for row in rows[: max(_PEERS, elected)])
    more = len(rows) - max(_PEERS, elected)
    rest = f"<li class='small quiet'>{more} more of whom it is wrong</li>" if more > 0 else ""
    said = f"{elected} elected" + (f", wrong about {wrong} others" if wrong else "")
    return (
        f"<h3 class='row'>Neighbours<small>{said}</small></h3><ul class='peers'>{shown}{rest}</ul>"
    )


def _peer(row: PeerRow, view: DeckView) -> str:
    state = row.belief.name.lower()
    wrong = contradiction(row)
    tick_us = round(view.seconds * 1e6)
    age = "never" if row.silent is None else duration(row.silent // tick_us, tick_us)
    truth = f" <small>{wrong}</small>" if wrong else ""
    return (
        f"<li><button data-do='select' data-with='{row.peer}'>{icon(state)}"
        f"<b>{node(row.peer)}</b><span class='{state}'>{row.belief.name}{truth}</span>"
        f"<span class='age'>{age}</span></button></li>"
    )


def _tasks(view: DeckView, first: int) -> str:
    rows = task_rows(view, first)
    if not rows:
        return "<h3>Tasks</h3><p class='small quiet'>It has none.</p>"
    shown = "".join(
        f"<li><span>task {row.number}</span><span>{row.state.name}</span>"
        f"<span>priority {row.priority}, ran {row.runs}</span><span>{_due(row)}</span></li>"
        for row in rows
    )
    return f"<h3>Tasks</h3><ul class='tasks'>{shown}</ul>"


def _due(row: TaskRow) -> str:
    if row.due_us is None:
        return ""
    late = row.due_us < 0
    return f"{abs(row.due_us) / 1e6:.2f} s {'late' if late else 'left'}"
