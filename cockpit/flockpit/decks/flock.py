"""The Flock deck: cause left, world in the middle, evidence right, time below."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bokeh.models import Range1d

from flockpit.controls.faults import FaultPanel
from flockpit.controls.nodes import NodePanel
from flockpit.controls.timeline import Timeline
from flockpit.decks.slot import Slot
from flockpit.decks.turns import Turns
from flockpit.instruments.field_gradient import FieldGradient
from flockpit.instruments.figures import TimeAxis
from flockpit.instruments.flock_map import FlockMap
from flockpit.instruments.heartbeat_states import HeartbeatStates
from flockpit.instruments.messages import Messages
from flockpit.instruments.view import Choice, DeckView, Viewpoint
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box
from flockpit.session import Session

__all__ = ["FlockDeck"]

_FAULTS, _NODES, _TIMELINE = "faults", "nodes", "timeline"


class FlockDeck:
    """Everything below the top bar.

    Args:
        session: what is shown.
        overlays: what lies over the map.
        clock: wall time in seconds.

    Attributes:
        choice: what the person looks at.
        cards: the deck's cards, to be placed in the page's grid.
    """

    def __init__(
        self,
        session: Session,
        overlays: Any,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.session = session
        self.choice = Choice()
        self.time = Range1d(0.0, 1.0)
        self._clock = clock
        self.faults = FaultPanel(session)
        self.nodes = NodePanel(session)
        self.timeline = Timeline(session, self.time)
        self._map = Slot(FlockMap(self.select))
        self._other: Slot | None = None
        self._theme: Theme = "dark"
        self._axis = TimeAxis(self.time)
        strips = [HeartbeatStates(self._axis), FieldGradient(self._axis), Messages(self._axis)]
        self._strips = [Slot(strip) for strip in strips]
        self._slots = {slot.instrument.name: slot for slot in self._strips}
        self._turns = Turns([*self._slots, _FAULTS, _NODES])
        self.cards = self._layout(overlays)

    def _layout(self, overlays: Any) -> tuple[Any, ...]:  # noqa: ANN401
        self._maps = box(box(self._map.view, classes=("half",)), classes=("maps",))
        return (
            box(self.faults.view, self.nodes.view, classes=("column", "left")),
            box(
                self._maps,
                overlays,
                classes=("card", "main"),
            ),
            box(
                box(
                    *(slot.view for slot in self._strips),
                    self._axis.foot,
                    classes=("card", "strips"),
                ),
                box(
                    box(classes=("card", "ballots")),
                    box(classes=("card", "detection")),
                    classes=("duo",),
                ),
                classes=("column", "right"),
            ),
            self.timeline.view,
            box(classes=("card", "lamps")),
        )

    # ------------------------------------------------------------------ choosing

    def select(self, nodes: Sequence[int], more: bool = False) -> None:
        """Take the nodes that were clicked or drawn round; a side if one is being drawn."""
        if len(nodes) > 1 and self.faults.partition.armed:
            self.faults.partition.draw(nodes)
        before = self.choice.selected if more else ()
        chosen = tuple(dict.fromkeys((*before, *nodes)))
        self.choice = replace(self.choice, selected=chosen)
        self.nodes.selected = self.faults.partition.selected = chosen
        self.session.touch()

    def look(self, viewpoint: Viewpoint) -> None:
        """Change whose belief is shown."""
        if viewpoint is Viewpoint.NODE and not self.choice.selected:
            self.session.say("Select a node first: click one on the map.", refused=True)
            return
        self.choice = replace(self.choice, viewpoint=viewpoint)
        self.session.touch()

    # ------------------------------------------------------------------ showing

    def update(self, *, moving: bool) -> None:
        """Show the session.

        Args:
            moving: whether the next frame follows at once; then not everybody has a turn.
        """
        session, now = self.session, self._clock()
        view = DeckView(session.sim, self.choice, length=session.length)
        self._map.update(view)
        self._update_beside()
        for name in self._turns.due(now) if moving else self._turns.all(now):
            if name == _FAULTS:
                self.faults.update()
            elif name == _NODES:
                self.nodes.update()
            else:
                self._slots[name].update(view)
        self.timeline.update()

    def _update_beside(self) -> None:
        """Show the other of two branches on a map of its own, made when it is first needed."""
        session = self.session
        if session.beside is None:
            if len(self._maps) > 1:
                self._maps.pop(1)
            return
        if self._other is None:
            self._other = Slot(FlockMap(self.select, self._theme))
        self._other.update(DeckView(session.beside, self.choice, length=session.length))
        if len(self._maps) == 1:
            self._maps.append(box(self._other.view, classes=("half",)))

    def apply_theme(self, theme: Theme) -> None:
        """Change colours."""
        self._theme = theme
        self.timeline.apply_theme(theme)
        self._axis.apply_theme(theme)
        beside = () if self._other is None else (self._other,)
        for slot in (self._map, *beside, *self._slots.values()):
            slot.apply_theme(theme)

    def resize(self, width: int, height: int) -> None:
        """Take the size of the page."""
        wide = width >= 1600 and height >= 940
        self.timeline.width_px = width - (660 if wide else 460)
