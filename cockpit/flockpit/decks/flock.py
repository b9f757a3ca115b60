"""The Flock deck: cause left, world in the middle, evidence right, time below."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from flockcore.scenario import TourStop
from flockpit.controls.nodes import NodePanel
from flockpit.decks.deck import Deck
from flockpit.instruments.ballots import Ballots
from flockpit.instruments.compare import Compare
from flockpit.instruments.detection import Detection
from flockpit.instruments.event_log import EventLog
from flockpit.instruments.false_positives import FalsePositives
from flockpit.instruments.field_gradient import FieldGradient
from flockpit.instruments.flock_map import FlockMap
from flockpit.instruments.heartbeat_states import HeartbeatStates
from flockpit.instruments.inspector import Inspector
from flockpit.instruments.messages import Messages
from flockpit.instruments.strikes import PULSE_S, STILL_S
from flockpit.instruments.view import DeckView, Viewpoint
from flockpit.look.widgets import html

if TYPE_CHECKING:
    from flockpit.decks.slot import Slot

__all__ = ["FlockDeck"]

_STRIPS = (HeartbeatStates, FalsePositives, FieldGradient, Messages)
_WATCHED = "<div class='branch'><b>watched</b><small>faults go here</small></div>"
_BESIDE = (
    "<div class='branch'><b>beside</b><small>runs along</small>"
    "<button class='small-button' data-do='swap'>Watch this <kbd>X</kbd></button>"
    "<button class='small-button' data-do='join'>Close</button></div>"
)
_TOUR_VIEWS = {"detection": "Detection", "ballots": "Ballots", "events": "Events"}
"""Words on a switch by the views that a stop of the tour can point at."""


class FlockDeck(Deck):
    """Everything below the top bar, about who is alive."""

    name: ClassVar[str] = "Flock"
    layer: ClassVar[str] = "flock"

    def _build(self) -> Mapping[str, Callable[[DeckView], object]]:
        theme = self._theme
        self._flock_map = FlockMap(self.select, theme)
        self._map = self._slot(self._flock_map)
        self._beside: Slot | None = None
        self._strips = [self._slot(strip(self._axis, theme)) for strip in _STRIPS]
        self._cards = {
            "Ballots": self._slot(Ballots()),
            "Detection": self._slot(Detection(theme)),
            "Events": self._slot(EventLog()),
            "Compare": self._slot(Compare()),
        }
        self._duo = self._box(classes=("duo",))
        return {
            **{slot.instrument.name: self._turn_of(slot) for slot in self._cards.values()},
            "inspector": self._inspector.update,
            # The strips share a playhead: when it moves all of them are painted.
            "strips": self._update_strips,
        }

    def _node_panel(self) -> NodePanel:
        self._inspector = self._slot(Inspector())
        return NodePanel(self.session, self._inspector.view)

    # ------------------------------------------------------------------ layout

    def _causes(self) -> Sequence[Any]:
        return self.faults.view, self.nodes.view

    def _world(self, overlays: object) -> Any:  # noqa: ANN401
        self._watched = html(_WATCHED, classes=("half-title",), visible=False)
        half = self._box(self._watched, self._map.view, classes=("half",))
        self._maps = self._box(half, classes=("maps",))
        return self._box(self._maps, overlays, classes=("card", "main"))

    def _evidence(self) -> Sequence[Any]:
        strips = [slot.view for slot in self._strips]
        return self._box(*strips, self._axis.foot, classes=("card", "strips")), self._duo

    def _arrange(self) -> None:
        """Two cards with a switch each where there is room, one with all instruments elsewhere."""
        names: tuple[tuple[str, ...], ...] = (("Ballots", "Events"), ("Detection", "Compare"))
        if not self._wide:
            names = (("Ballots", "Detection", "Events", "Compare"),)
        self._duo.objects = self._tabbed(
            [{name: self._cards[name] for name in group} for group in names]
        )

    def keep_still(self, still: bool) -> None:
        """Take whether the person wants less motion."""
        self._flock_map.strikes.lasting = STILL_S if still else PULSE_S

    @property
    def fading(self) -> float:
        """Seconds of wall time until something goes from the map by itself; 0 for never."""
        return self._flock_map.strikes.rest

    # ------------------------------------------------------------------ choosing

    def arrive(self) -> None:
        """Look at the node that the tour looks at here, if it has a stop at this tick."""
        for stop in self.session.scenario.tour:
            if stop.tick == self.session.tick and stop.focus is not None:
                self.select((stop.focus,))
                self.choice = replace(self.choice, viewpoint=Viewpoint.NODE)

    def _focus(self, stop: TourStop) -> None:
        if stop.focus is not None:
            self.select((stop.focus,))
            self.choice = replace(self.choice, viewpoint=Viewpoint.NODE)
        word = _TOUR_VIEWS.get(stop.view)
        if word is not None:
            any(tabs.show(word) for tabs in self._tabs)

    # ------------------------------------------------------------------ showing

    def _update_main(self, view: DeckView) -> None:
        self._map.update(view)
        self._update_beside(view.beside)

    def _update_strips(self, view: DeckView) -> None:
        for strip in self._strips:
            strip.update(view)

    def _update_beside(self, view: DeckView | None) -> None:
        """Show the other of two branches on a map of its own, made when it is first needed."""
        if self._watched.visible != (view is not None):
            self._watched.visible = view is not None
        if view is None:
            if len(self._maps) > 1:
                self._maps.pop(1)
            return
        if self._beside is None:
            self._beside = self._slot(FlockMap(self.select, self._theme))
        self._beside.update(view)
        if len(self._maps) == 1:
            any(tabs.show("Compare") for tabs in self._tabs)
            title = html(_BESIDE, classes=("half-title",))
            self._maps.append(self._box(title, self._beside.view, classes=("half",)))
