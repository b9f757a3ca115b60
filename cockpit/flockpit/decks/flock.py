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
from flockpit.decks.tabs import Tabs
from flockpit.decks.turns import Turns
from flockpit.instruments.ballots import Ballots
from flockpit.instruments.compare import Compare
from flockpit.instruments.detection import Detection
from flockpit.instruments.event_log import EventLog
from flockpit.instruments.false_positives import FalsePositives
from flockpit.instruments.field_gradient import FieldGradient
from flockpit.instruments.flock_map import FlockMap
from flockpit.instruments.heartbeat_states import HeartbeatStates
from flockpit.instruments.inspector import Inspector
from flockpit.instruments.lamps import Lamps
from flockpit.instruments.messages import Messages
from flockpit.instruments.strikes import PULSE_S, STILL_S
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import Choice, DeckView, Viewpoint
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, html
from flockpit.session import Session

__all__ = ["FlockDeck", "is_wide"]

_FAULTS, _NODES, _TIMELINE, _ALL_STRIPS = "faults", "nodes", "timeline", "strips"
_STRIPS = (HeartbeatStates, FalsePositives, FieldGradient, Messages)
_WIDE, _HIGH = 1600, 940
_WATCHED = "<div class='branch'><b>watched</b><small>faults go here</small></div>"
_BESIDE = (
    "<div class='branch'><b>beside</b><small>runs along</small>"
    "<button class='small-button' data-do='swap'>Watch this <kbd>X</kbd></button>"
    "<button class='small-button' data-do='join'>Close</button></div>"
)
_TOUR_VIEWS = {"detection": "Detection", "ballots": "Ballots", "events": "Events"}
"""Words on a switch by the views that a stop of the tour can point at."""


def is_wide(width: float, height: float) -> bool:
    """Return whether a page has room for everything side by side; the sheets ask the same."""
    return width >= _WIDE and height >= _HIGH


class FlockDeck:
    """Everything below the top bar.

    Args:
        session: what is shown.
        overlays: what lies over the map.
        theme: to begin with.
        wide: whether there is room for everything side by side, until the page tells.
        clock: wall time in seconds.

    Attributes:
        choice: what the person looks at.
        cards: the deck's cards, to be placed in the page's grid.
    """

    def __init__(
        self,
        session: Session,
        overlays: object,
        theme: Theme = "dark",
        *,
        wide: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.session = session
        self.choice = Choice()
        self.time = Range1d(start=0.0, end=1.0)
        self._theme = theme
        self._clock = clock
        self._wide = wide
        self.faults = FaultPanel(session)
        self.timeline = Timeline(session, self.time, theme)
        self._axis = TimeAxis(self.time, theme)
        self._flock_map = FlockMap(self.select, theme)
        self._map = Slot(self._flock_map)
        self._beside: Slot | None = None
        self._strips = [Slot(strip(self._axis, theme)) for strip in _STRIPS]
        self._lamps = Slot(Lamps())
        self._inspector = Slot(Inspector())
        self._evidence = {
            "Ballots": Slot(Ballots()),
            "Detection": Slot(Detection(theme)),
            "Events": Slot(EventLog()),
            "Compare": Slot(Compare()),
        }
        self.nodes = NodePanel(session, self._inspector.view)
        alone = [self._lamps, self._inspector, *self._evidence.values()]
        self._slots = {slot.instrument.name: slot for slot in alone}
        # The strips share a playhead: when it moves all of them are painted.
        self._turns = Turns([*self._slots, _ALL_STRIPS, _TIMELINE, _FAULTS, _NODES])
        self._toured: object = None
        self._look_where_the_tour_does()
        self.cards = self._layout(overlays)

    # ------------------------------------------------------------------ layout

    def _layout(self, overlays: object) -> tuple[Any, ...]:
        self._watched = html(_WATCHED, classes=("half-title",), visible=False)
        self._maps = box(box(self._watched, self._map.view, classes=("half",)), classes=("maps",))
        self._duo = box(classes=("duo",))
        self._arrange()
        strips = box(
            *(slot.view for slot in self._strips), self._axis.foot, classes=("card", "strips")
        )
        return (
            box(self.faults.view, self.nodes.view, classes=("column", "left")),
            box(self._maps, overlays, classes=("card", "main")),
            box(
                strips,
                self._duo,
                box(self._lamps.view, classes=("card", "lamp-card")),
                classes=("column", "right"),
            ),
            self.timeline.view,
        )

    def _arrange(self) -> None:
        """Two cards with a switch each where there is room, one with all instruments elsewhere."""
        names: tuple[tuple[str, ...], ...] = (("Ballots", "Events"), ("Detection", "Compare"))
        if not self._wide:
            names = (("Ballots", "Detection", "Events", "Compare"),)
        self._tabs = [
            Tabs({name: self._evidence[name] for name in group}, group[0].lower())
            for group in names
        ]
        for tabs in self._tabs:
            tabs.on_turn = self.session.touch
        self._duo.objects = [tabs.view for tabs in self._tabs]

    def resize(self, width: int, height: int) -> None:
        """Take the size of the page."""
        wide = is_wide(width, height)
        if wide != self._wide:
            self._wide = wide
            self._arrange()

    def keep_still(self, still: bool) -> None:
        """Take whether the person wants less motion."""
        self._flock_map.strikes.lasting = STILL_S if still else PULSE_S

    @property
    def fading(self) -> float:
        """Seconds of wall time until something goes from the map by itself; 0 for never."""
        return self._flock_map.strikes.rest

    # ------------------------------------------------------------------ choosing

    def select(self, nodes: Sequence[int], more: bool = False) -> None:
        """Take the nodes that were clicked or drawn round; a side if one is being drawn."""
        if len(nodes) > 1 and self.faults.partition.armed:
            self.faults.partition.draw(nodes)
        before = self.choice.selected if more else ()
        chosen = tuple(dict.fromkeys((*before, *nodes)))
        self.choice = replace(self.choice, selected=chosen, subject=chosen[0] if chosen else None)
        self.nodes.selected = self.faults.partition.selected = chosen
        self.session.touch()

    def look(self, viewpoint: Viewpoint) -> None:
        """Change whose belief is shown."""
        if viewpoint is Viewpoint.NODE and not self.choice.selected:
            self.session.say("Select a node first: click one on the map.", refused=True)
            return
        self.choice = replace(self.choice, viewpoint=viewpoint)
        self.session.touch()

    def _look_where_the_tour_does(self) -> None:
        """Begin with the node that the tour looks at here, if it has a stop at this tick."""
        for stop in self.session.scenario.tour:
            if stop.tick == self.session.tick and stop.focus is not None:
                self.select((stop.focus,))
                self.choice = replace(self.choice, viewpoint=Viewpoint.NODE)

    def _forget_strangers(self) -> None:
        """Drop from the selection who is not in this flock: another scenario may be smaller."""
        nodes = self.session.scenario.nodes
        if any(node >= nodes for node in self.choice.selected):
            self.select(tuple(node for node in self.choice.selected if node < nodes))

    def _follow_tour(self) -> None:
        """Look where the stop of the tour points, once, when it is reached."""
        stop = self.session.stop
        if stop is None or stop is self._toured:
            self._toured = stop
            return
        self._toured = stop
        if stop.focus is not None:
            self.select((stop.focus,))
            self.choice = replace(self.choice, viewpoint=Viewpoint.NODE)
        word = _TOUR_VIEWS.get(stop.view)
        if word is not None:
            any(tabs.show(word) for tabs in self._tabs)

    # ------------------------------------------------------------------ showing

    def update(self, *, moving: bool) -> None:
        """Show the session.

        Args:
            moving: whether the next frame follows at once; then not everybody has a turn.
        """
        self._follow_tour()
        self._forget_strangers()
        now, view = self._clock(), self._view()
        self._map.update(view)
        self._update_beside(view.beside)
        hidden = self._hidden()
        for name in self._turns.due(now) if moving else self._turns.all(now):
            if name == _ALL_STRIPS:
                for strip in self._strips:
                    strip.update(view)
            elif name == _TIMELINE:
                self.timeline.update()
            elif name == _FAULTS:
                self.faults.update()
            elif name == _NODES:
                self.nodes.update()
            elif self._slots[name] not in hidden:
                self._slots[name].update(view)
        if not self.session.playback.playing:
            # Whoever drags the playhead wants it under the pointer.
            self.timeline.update()

    def _view(self) -> DeckView:
        session = self.session
        beside = None
        if session.beside is not None:
            beside = DeckView(session.beside, self.choice, length=session.length)
        return DeckView(session.sim, self.choice, length=session.length, beside=beside)

    def _hidden(self) -> list[Slot]:
        shown = [tabs.shown for tabs in self._tabs]
        return [slot for slot in self._evidence.values() if slot not in shown]

    def _update_beside(self, view: DeckView | None) -> None:
        """Show the other of two branches on a map of its own, made when it is first needed."""
        if self._watched.visible != (view is not None):
            self._watched.visible = view is not None
        if view is None:
            if len(self._maps) > 1:
                self._maps.pop(1)
            return
        if self._beside is None:
            self._beside = Slot(FlockMap(self.select, self._theme))
        self._beside.update(view)
        if len(self._maps) == 1:
            any(tabs.show("Compare") for tabs in self._tabs)
            title = html(_BESIDE, classes=("half-title",))
            self._maps.append(box(title, self._beside.view, classes=("half",)))

    def apply_theme(self, theme: Theme) -> None:
        """Change colours."""
        self._theme = theme
        self.timeline.apply_theme(theme)
        self._axis.apply_theme(theme)
        beside = () if self._beside is None else (self._beside,)
        for slot in (self._map, *beside, *self._strips, *self._slots.values()):
            slot.apply_theme(theme)
