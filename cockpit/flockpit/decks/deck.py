"""What all decks have in common: a session, a choice, faults, nodes, a timeline, and turns."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from bokeh.models import Range1d

from flockcore.scenario import TourStop
from flockpit.controls.faults import FaultPanel
from flockpit.controls.nodes import NodePanel
from flockpit.controls.timeline import Timeline
from flockpit.decks.slot import Slot
from flockpit.decks.tabs import Tabs
from flockpit.decks.turns import Turns
from flockpit.instruments.base import Instrument
from flockpit.instruments.lamps import Lamps
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import Choice, DeckView, Viewpoint
from flockpit.look.assets import sheet
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box, html
from flockpit.session import Session

__all__ = ["HIGH", "WIDE", "Deck", "is_wide"]

WIDE, HIGH = 1600, 940
"""Pixels from which on a page has room for everything side by side; the sheets ask the same."""


def is_wide(width: float, height: float) -> bool:
    """Return whether a page has room for everything side by side."""
    return width >= WIDE and height >= HIGH


class Deck(ABC):
    """Everything below the top bar.

    Args:
        session: what is shown.
        overlays: what lies over the main view.
        theme: to begin with.
        wide: whether there is room for everything side by side, until the page tells.
        clock: wall time in seconds.

    Attributes:
        choice: what the person looks at.
        cards: the deck's cards, to be placed in the page's grid.
    """

    name: ClassVar[str]
    """What its tab says."""
    layer: ClassVar[str]
    """The layer whose invariants it shows."""
    sheets: ClassVar[tuple[str, ...]] = ("deck",)
    """Style sheets of its containers."""

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
        self._theme: Theme = theme
        self._clock = clock
        self._wide = wide
        self._kept: list[Slot] = []
        self._tabs: list[Tabs] = []
        self._toured: object = None
        self.faults = FaultPanel(session)
        self.timeline = self._timeline()
        self._axis = TimeAxis(self.time, theme)
        self._lamps = self._slot(Lamps())
        self.nodes = self._node_panel()
        self._others: dict[str, Callable[[DeckView], object]] = {
            **self._build(),
            "verdicts": self._lamps.update,
            "timeline": lambda _: self.timeline.update(),
            "faults": lambda _: self.faults.update(),
            "nodes": lambda _: self.nodes.update(),
        }
        self._turns = Turns(self._others)
        self._arrange()
        self.cards: tuple[Any, ...] = self._layout(overlays)

    def _timeline(self) -> Timeline:
        return Timeline(self.session, self.time, self._theme)

    def _node_panel(self) -> NodePanel:
        return NodePanel(self.session, html(""))

    def _slot(self, instrument: Instrument) -> Slot:
        """Return a place for an instrument, which takes the theme from now on."""
        slot = Slot(instrument)
        self._kept.append(slot)
        return slot

    # ------------------------------------------------------------------ layout

    def _box(self, *children: Any, classes: Sequence[str]) -> Any:  # noqa: ANN401
        """Return a container that knows this deck's style sheets."""
        return box(*children, classes=classes, stylesheets=[sheet(name) for name in self.sheets])

    def _layout(self, overlays: object) -> tuple[Any, ...]:
        """Cause left, world in the middle, evidence right, time below."""
        own = self.name.lower()
        lamps = self._box(self._lamps.view, classes=("card", "lamp-card"))
        return (
            self._box(*self._causes(), classes=("column", "left", f"{own}-left")),
            self._world(overlays),
            self._box(*self._evidence(), lamps, classes=("column", "right", f"{own}-right")),
            self.timeline.view,
        )

    # ------------------------------------------------------------------ what each deck says

    @abstractmethod
    def _build(self) -> Mapping[str, Callable[[DeckView], object]]:
        """Make controls and instruments; return who is shown in turns, by name."""

    @abstractmethod
    def _causes(self) -> Sequence[Any]:
        """Return the cards of the left column."""

    @abstractmethod
    def _world(self, overlays: object) -> Any:  # noqa: ANN401
        """Return what stands in the middle, with what lies over it."""

    @abstractmethod
    def _evidence(self) -> Sequence[Any]:
        """Return the cards of the right column, above the lamps."""

    @abstractmethod
    def _arrange(self) -> None:
        """Place instruments on cards, as the room allows."""

    @abstractmethod
    def _update_main(self, view: DeckView) -> None:
        """Show the main view, which is drawn every frame."""

    def _slots(self) -> Sequence[Slot]:
        """Return all that has colours which no style sheet can change."""
        return tuple(self._kept)

    @abstractmethod
    def _focus(self, stop: TourStop) -> None:
        """Look at the node and the card to which a stop of the tour points."""

    def arrive(self) -> None:  # noqa: B027 - a deck may have nothing to look at
        """Look where the tour does at the tick at which a run is opened."""

    def keep_still(self, still: bool) -> None:  # noqa: B027 - a deck may have nothing that moves
        """Take whether the person wants less motion."""

    @property
    def fading(self) -> float:
        """Seconds of wall time until something goes from the main view by itself; 0 for never."""
        return 0.0

    # ------------------------------------------------------------------ choosing

    def resize(self, width: int, height: int) -> None:
        """Take the size of the page."""
        wide = is_wide(width, height)
        if wide != self._wide:
            self._wide = wide
            self._arrange()

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

    def _forget_strangers(self) -> None:
        """Drop from the selection who is not in this flock: another scenario may be smaller."""
        nodes = self.session.scenario.nodes
        if any(node >= nodes for node in self.choice.selected):
            self.select(tuple(node for node in self.choice.selected if node < nodes))

    def _follow_tour(self) -> None:
        """Look where the stop of the tour points, once, when it is reached."""
        stop = self.session.stop
        known, self._toured = self._toured, stop
        if stop is not None and stop is not known:
            self._focus(stop)

    # ------------------------------------------------------------------ showing

    def update(self, *, moving: bool) -> None:
        """Show the session.

        Args:
            moving: whether the next frame follows at once; then not everybody has a turn.
        """
        self._follow_tour()
        self._forget_strangers()
        now, view = self._clock(), self._view()
        self._update_main(view)
        for name in self._turns.due(now) if moving else self._turns.all(now):
            self._others[name](view)
        if not self.session.playback.playing:
            # Whoever drags the playhead wants it under the pointer.
            self.timeline.update()

    def _view(self) -> DeckView:
        session = self.session
        beside = None
        if session.beside is not None:
            beside = DeckView(session.beside, self.choice, length=session.length, layer=self.layer)
        return DeckView(
            session.sim, self.choice, length=session.length, beside=beside, layer=self.layer
        )

    def _tabbed(self, groups: Sequence[dict[str, Slot]]) -> list[Any]:
        """Make a card with a switch of each group of instruments, and return them."""
        self._tabs = [Tabs(group, next(iter(group)).lower()) for group in groups]
        for tabs in self._tabs:
            tabs.on_turn = self.session.touch
        return [tabs.view for tabs in self._tabs]

    def _turn_of(self, slot: Slot) -> Callable[[DeckView], object]:
        """Return what updates an instrument on a card with a switch: only while it is seen."""

        def update(view: DeckView) -> None:
            if any(tabs.shown is slot for tabs in self._tabs):
                slot.update(view)

        return update

    def apply_theme(self, theme: Theme) -> None:
        """Change colours."""
        self._theme = theme
        self.timeline.apply_theme(theme)
        self._axis.apply_theme(theme)
        for slot in self._slots():
            slot.apply_theme(theme)
