"""The card of the selected nodes: what can be done to them, what they know and what is true."""

from collections.abc import Callable

import numpy as np
import panel as pn

from flockcore.flock.codes import ModuleState, NodeStatus
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
from flockpit.look.widgets import box, button, html, rename
from flockpit.session import Session
from flockpit.texts import node, nodes

__all__ = ["NodePanel"]

_SLOW_EVERY = 5
_ACTS = "<p class='words'>Crash loses memory. Pause keeps it and goes silent.</p>"
_EMPTY = (
    "<p class='words'><span class='narrow'>Click a node on the map, or draw round several.</span>"
    "<span class='wide'>Crash loses memory. Pause keeps it and goes silent.</span></p>"
)
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
        inspector: shows the first selected node.

    Attributes:
        selected: nodes that the buttons act on; the first one is inspected.
        terse: whether there is no room for a sentence on what the buttons do.
        view: the card.
    """

    def __init__(self, session: Session, inspector: object) -> None:
        self.session = session
        self.selected: tuple[int, ...] = ()
        self._head = html()
        self._say = html(_EMPTY, classes=("explain",))
        self._hint = html(_ACTS, classes=("explain", "narrow"), visible=False)
        self.opened = self.terse = False
        crash = self._button("Crash", self.crash, "crash")
        self._pause = self._button("Pause", self.pause, "pause")
        self._restart = self._button("Restart", self.restart, "restart")
        self._leave = self._button("Leave", self.leave, "leave")
        self._slow = self._button("Slow", self.slow, "slow")
        self._lie = self._button("Equivocate", self.lie, "equivocate")
        propose = self._button("Propose", self.propose, "propose")
        inhibit = self._button("Inhibit", self.inhibit, "inhibit")
        self._first = (crash, self._pause, self._restart, self._leave)
        self._second = (self._slow, self._lie, propose, inhibit)
        self.view = box(
            self._head,
            box(*self._first, classes=("joined",)),
            box(*self._second, classes=("joined", "in-full")),
            self._say,
            self._hint,
            box(inspector, classes=("in-full", "inspected")),
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
        following = self.session.tick + 1
        self._do(
            lambda chosen: (
                (Restart(nodes=down),)
                if down
                else (Crash(nodes=chosen, start=following, until=following + 1),)
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
        """Let the first selected node open a ballot; with none selected, some node that is up."""
        up = np.flatnonzero(self.session.sim.world.up)
        if self.selected or not len(up):
            self._do(lambda chosen: (Propose(node=chosen[0], threshold=STRICT_MAJORITY),))
        else:
            self.session.inject(Propose(node=int(up[0]), threshold=STRICT_MAJORITY))

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
        self._say.visible, self._hint.visible = False, not self.terse

    def _nothing(self) -> None:
        self._head.object = "<div class='row'><h2>Nodes</h2><small>none selected</small></div>"
        self._say.visible, self._hint.visible = True, False
        self._buttons()

    def _buttons(self) -> None:
        for widget in (*self._first, *self._second):
            widget.disabled = not self.selected
        rename(self._pause, "Resume" if self._those(NodeStatus.PAUSED) else "Pause")
        rename(self._leave, "Join" if self._those(NodeStatus.ABSENT) else "Leave")
