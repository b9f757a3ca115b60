"""The card of the selected nodes: what can be done to them, what they know and what is true."""

from collections.abc import Callable, Sequence
from typing import Any

import panel as pn

from flockcore.flock.codes import Health, ModuleState, NodeStatus
from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import (
    STRICT_MAJORITY,
    Crash,
    Equivocate,
    Fault,
    Inhibit,
    Join,
    Leave,
    Pause,
    Propose,
    Restart,
    Resume,
    Slow,
)
from flockpit.look.assets import icon
from flockpit.look.widgets import box, button, html, rename
from flockpit.session import Session
from flockpit.texts import duration, node, nodes

__all__ = ["NodePanel"]

_SLOW_EVERY = 5
_NEVER = 255
_WORDS = {
    NodeStatus.UP: "really up",
    NodeStatus.SLOW: "really up, slow",
    NodeStatus.PAUSED: "really paused",
    NodeStatus.CRASHED: "really crashed",
    NodeStatus.ABSENT: "not in the flock",
}


class NodePanel:
    """What one does to nodes, and what one sees of one.

    Args:
        session: where they live.

    Attributes:
        selected: nodes that the buttons act on; the first one is inspected.
        view: the card.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.selected: tuple[int, ...] = ()
        self._head = html()
        self._numbers = html(classes=("numbers-pane", "in-full"))
        self._peers = html(classes=("scroll", "in-full"))
        self._say = html(classes=("explain",))
        self.opened = False
        crash = self._button("Crash", self.crash, "crash")
        self._pause = self._button("Pause", self.pause, "pause")
        self._restart = self._button("Restart", self.restart, "restart")
        self._leave = self._button("Leave", self.leave, "leave")
        self._slow = self._button("Slow", self.slow, "slow")
        self._lie = self._button("Lie", self.lie, "equivocate")
        propose = self._button("Propose", self.propose, "propose")
        inhibit = self._button("Inhibit", self.inhibit, "inhibit")
        self._first = (crash, self._pause, self._restart, self._leave)
        self._second = (self._slow, self._lie, propose, inhibit)
        self.view = box(
            self._head,
            self._numbers,
            box(*self._first, classes=("joined",)),
            box(*self._second, classes=("joined", "in-full")),
            self._say,
            self._peers,
            classes=("card", "node"),
        )

    def _button(self, label: str, press: Callable[[], object], kind: str) -> pn.widgets.Button:
        return button(label, press, classes=("small", "quiet"), hint=EXPLANATIONS[kind])

    def open(self, opened: bool) -> None:
        """Open or close the drawer that shows the whole card on a small page."""
        self.opened = opened
        self.view.css_classes = ["card", "node", *(["drawer"] if opened else [])]
        self.session.touch()

    # ------------------------------------------------------------------ deeds

    def crash(self) -> None:
        """Crash the selected nodes."""
        self._do(lambda chosen: (Crash(nodes=chosen),))

    def pause(self) -> None:
        """Pause the selected nodes, or let the paused ones go on."""
        paused = self._those(NodeStatus.PAUSED)
        self._do(lambda chosen: (Resume(nodes=paused),) if paused else (Pause(nodes=chosen),))

    def restart(self) -> None:
        """Bring crashed nodes back with fresh state; nodes that are up go down for a moment."""
        down = self._those(NodeStatus.CRASHED)
        self._do(
            lambda chosen: (
                (Restart(nodes=down),) if down else (Crash(nodes=chosen), Restart(nodes=chosen))
            )
        )

    def leave(self) -> None:
        """Let the selected nodes leave the flock, or absent ones join it."""
        away = self._those(NodeStatus.ABSENT)
        places = self.session.sim.flock.positions
        self._do(
            lambda chosen: (
                tuple(Join(node=n, x=int(places[n][0]), y=int(places[n][1])) for n in away)
                if away
                else (Leave(nodes=chosen),)
            )
        )

    def slow(self) -> None:
        """Let the selected nodes run every fifth tick only."""
        self._do(lambda chosen: (Slow(nodes=chosen, every=_SLOW_EVERY),))

    def lie(self) -> None:
        """Let the selected nodes say different things to different peers."""
        self._do(lambda chosen: (Equivocate(nodes=chosen),))

    def propose(self) -> None:
        """Let the first selected node open a ballot."""
        self._do(lambda chosen: (Propose(node=chosen[0], threshold=STRICT_MAJORITY),))

    def inhibit(self) -> None:
        """Let the first selected node cancel the open ballot that it may vote on."""
        target = self._open_ballot()
        if target is None:
            self.session.say("No open ballot to inhibit: propose one first.", refused=True)
        else:
            proposer, ballot = target
            self._do(lambda chosen: (Inhibit(node=chosen[0], proposer=proposer, ballot=ballot),))

    def _do(self, make: Callable[[tuple[int, ...]], tuple[Fault, ...]]) -> None:
        if self.selected:
            self.session.inject(*make(self.selected))
        else:
            self.session.say("Select a node first: click one on the map.", refused=True)

    def _those(self, status: NodeStatus) -> tuple[int, ...]:
        truth = self.session.sim.flock.truth
        return tuple(index for index in self.selected if truth[index] == status)

    def _open_ballot(self) -> tuple[int, int] | None:
        found = [ballot for ballot in self.session.sim.flock.ballots() if ballot.is_open]
        mine = [
            ballot for ballot in found if self.selected[:1] and self.selected[0] in ballot.voters
        ]
        chosen = (mine or found)[-1:]
        return (chosen[0].proposer, chosen[0].ballot) if chosen else None

    # ------------------------------------------------------------------ what is shown

    def update(self) -> None:
        """Show the first selected node as it is now."""
        if not self.selected:
            self._nothing()
            return
        flock = self.session.sim.flock
        first = self.selected[0]
        truth = NodeStatus(int(flock.truth[first]))
        state = ModuleState(int(flock.module_state[first])).name
        right = state if len(self.selected) == 1 else f"first: {node(first)}"
        verb, word = ("close-node", "Close") if self.opened else ("open-node", "More")
        self._head.object = (
            f"<div class='row'><span><b>{nodes(self.selected)}</b> "
            f"<small>{_WORDS[truth]}</small></span><small>{right} "
            f"<button class='link narrow' data-do='{verb}'>{word}</button></small></div>"
        )
        self._buttons()
        self._numbers.object = self._two_numbers(flock, first)
        self._peers.object = self._neighbours(flock, first)
        self._say.object = (
            "<p class='words narrow'>Crash loses memory. Pause keeps it and goes silent.</p>"
        )

    def _nothing(self) -> None:
        self._head.object = "<div class='row'><h2>Nodes</h2><small>none selected</small></div>"
        self._numbers.object = ""
        self._peers.object = ""
        self._say.object = (
            "<p class='words'>Click a node on the map, or draw round several."
            "<span class='wide'> Crash loses memory; pause keeps it and goes silent.</span></p>"
        )
        self._buttons()

    def _buttons(self) -> None:
        for widget in (*self._first, *self._second):
            widget.disabled = not self.selected
        rename(self._pause, "Resume" if self._those(NodeStatus.PAUSED) else "Pause")
        rename(self._leave, "Join" if self._those(NodeStatus.ABSENT) else "Leave")

    def _two_numbers(self, flock: Any, first: int) -> str:  # noqa: ANN401
        elected = [peer for peer in flock.elected_peers()[first].tolist() if peer >= 0]
        belief = flock.belief(first)
        alive = sum(int(belief[peer]) == Health.ALIVE for peer in elected)
        load = int(flock.own[0][first]) / 65536
        return (
            f"<div class='numbers'><div><b>{load:.2f}</b><span>field</span></div>"
            f"<div><b>{alive} of {len(elected)}</b><span>neighbours alive</span></div></div>"
        )

    def _neighbours(self, flock: Any, first: int) -> str:  # noqa: ANN401
        belief, truth = flock.belief(first), flock.truth
        silent = _silences(flock, first)
        elected = [peer for peer in flock.elected_peers()[first].tolist() if peer >= 0]
        ordered = sorted(elected, key=lambda peer: (int(belief[peer]) in (0, 2, 3), peer))
        tick_us = self.session.scenario.tick_us
        rows = [_row(p, int(belief[p]), int(truth[p]), silent.get(p), tick_us) for p in ordered]
        return f"<ul class='peers'>{''.join(rows)}</ul>"


def _silences(flock: Any, observer: int) -> dict[int, int]:  # noqa: ANN401
    """Microseconds since each peer was heard, by peer."""
    heard = flock.silence(observer) if hasattr(flock, "silence") else None
    if heard is None:
        return {}
    return {int(peer): int(us) for peer, us in heard}


def _row(peer: int, belief: int, truth: int, silent_us: int | None, tick_us: int) -> str:
    state = Health(belief).name if belief != _NEVER else "UNKNOWN"
    age = "" if silent_us is None else duration(silent_us // tick_us, tick_us)
    wrong = _contradiction(belief, truth)
    return (
        f"<li><button data-do='select' data-with='{peer}' title='{wrong or 'as it is'}'>"
        f"{icon(state.lower())}<b>{node(peer)}</b>"
        f"<span class='{state.lower()}'>{state}{' ' + icon('up') if wrong else ''}</span>"
        f"<span class='age'>{age}</span></button></li>"
    )


def _contradiction(belief: int, truth: int) -> str:
    up = truth in (NodeStatus.UP, NodeStatus.SLOW)
    if up and belief in (Health.SUSPECT, Health.DEAD):
        return "really up"
    return "" if up or belief != Health.ALIVE else "really down"


def chosen(selected: Sequence[int]) -> tuple[int, ...]:
    """Return a selection as plain numbers, without repetition."""
    return tuple(dict.fromkeys(int(index) for index in selected))
