"""The Curl deck: what edges claim, where claims contradict each other, and how that is mended."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from flockcore.kernel.faults import Reconcile
from flockcore.scenario import TourStop
from flockpit.controls.conflict import Conflict
from flockpit.controls.nodes import NodePanel
from flockpit.controls.spans import settlements
from flockpit.controls.timeline import Timeline
from flockpit.decks.deck import Deck
from flockpit.decks.slot import Slot
from flockpit.instruments.flow_gossip import FlowGossip
from flockpit.instruments.flow_map import FlowMap
from flockpit.instruments.flow_norm import CurlNorm
from flockpit.instruments.flow_queues import FlowQueues
from flockpit.instruments.flow_residual import FlowResidual
from flockpit.instruments.flow_share import FlowShare
from flockpit.instruments.lamps import Lamps
from flockpit.instruments.view import Choice, DeckView, Flow, Viewpoint
from flockpit.look.assets import sheet
from flockpit.look.tokens import Theme
from flockpit.look.widgets import box as plain_box
from flockpit.look.widgets import html
from flockpit.session import Session

__all__ = ["CurlDeck"]

_HINTS = (
    ("toggle", ("space",), "play"),
    ("back", ("←",), ""),
    ("step", ("→",), "step"),
    ("write", ("W",), "write a conflict"),
    ("project", ("J",), "project"),
    ("fork", ("F",), "fork here"),
    ("keys", ("?",), "all keys"),
)
_FLOWS = {
    Viewpoint.NODE: Flow.REPORTED,
    Viewpoint.MAJORITY: Flow.GOSSIP,
    Viewpoint.TRUTH: Flow.PROJECTED,
}
"""The three keys that choose a viewpoint elsewhere choose a flow here."""


def box(*children: Any, classes: Sequence[str]) -> Any:  # noqa: ANN401
    """Return a container that knows this deck's style sheet too."""
    return plain_box(*children, classes=classes, stylesheets=[sheet("deck"), sheet("curl")])


class CurlDeck(Deck):
    """Everything below the top bar, about flows.

    Args:
        session: what is shown.
        overlays: what lies over the mesh.
        theme: to begin with.
        wide: whether there is room for everything side by side, until the page tells.
        clock: wall time in seconds.
    """

    name: ClassVar[str] = "Curl"
    layer: ClassVar[str] = "hodge"

    def __init__(
        self,
        session: Session,
        overlays: object,
        theme: Theme = "dark",
        *,
        wide: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(session, theme, wide=wide, clock=clock)
        self.conflict = Conflict(session, self._picked)
        self.nodes = NodePanel(session, html(""))
        self._mesh = Slot(FlowMap(self.select, self.conflict.pick, theme))
        self._norm = Slot(CurlNorm(self._axis, theme))
        self._lamps = Slot(Lamps())
        self._gossip, self._residual = Slot(FlowGossip(theme)), Slot(FlowResidual(theme))
        self._share, self._queues = Slot(FlowShare()), Slot(FlowQueues())
        self._take_turns(
            {
                "norm": self._norm.update,
                "lamps": self._lamps.update,
                "gossip": lambda view: self._beside(self._gossip, view),
                "residual": lambda view: self._beside(self._residual, view),
                "share": self._turn_of(self._share),
                "queues": self._turn_of(self._queues),
                "conflict": lambda _: self.conflict.update(),
            }
        )
        self._shown_of = ""
        self.cards = self._layout(overlays)

    def _timeline(self) -> Timeline:
        return Timeline(
            self.session, self.time, self._theme, hints=_HINTS, decided=settlements, row="flows"
        )

    # ------------------------------------------------------------------ layout

    def _layout(self, overlays: object) -> tuple[Any, ...]:
        self._evidence = box(classes=("evidence",))
        self._arrange()
        return (
            box(
                self.conflict.view,
                self.faults.view,
                self.nodes.view,
                classes=("column", "left", "curl-left"),
            ),
            box(self._mesh.view, overlays, classes=("card", "main")),
            box(
                box(self._norm.view, self._axis.foot, classes=("card", "strips")),
                self._evidence,
                box(self._lamps.view, classes=("card", "lamp-card")),
                classes=("column", "right", "curl-right"),
            ),
            self.timeline.view,
        )

    def _arrange(self) -> None:
        """Two small cards side by side where there is room, one with a switch elsewhere."""
        small = {"Gossip": self._gossip, "Residual": self._residual}
        large = {"Share": self._share, "Queues": self._queues}
        if self._wide:
            cards = self._tabbed([large])
            pair = box(
                *(box(slot.view, classes=("card",)) for slot in small.values()), classes=("duo",)
            )
            self._evidence.objects = [pair, *cards]
        else:
            self._evidence.objects = self._tabbed([small, large])
        self._open_telling()

    def _beside(self, slot: Slot, view: DeckView) -> None:
        if self._wide or any(tabs.shown is slot for tabs in self._tabs):
            slot.update(view)

    # ------------------------------------------------------------------ choosing

    def take(self, choice: Choice) -> None:
        """Go on with the selection of another deck."""
        self.select(choice.selected)

    def show(self, flow: Flow) -> None:
        """Change which flow the mesh shows."""
        self.choice = replace(self.choice, flow=flow)
        self.session.touch()

    def look(self, viewpoint: Viewpoint) -> None:
        """Change which flow the mesh shows, by the keys that elsewhere choose a viewpoint."""
        self.show(_FLOWS[viewpoint])

    def _picked(self, corners: tuple[int, int, int] | None) -> None:
        self.choice = replace(self.choice, triangle=corners)

    def _focus(self, stop: TourStop) -> None:
        self.select(() if stop.focus is None else (stop.focus,))
        self.show(Flow.REPORTED)
        self._open_telling()

    def _open_telling(self) -> None:
        """Show the card that tells most of this scenario."""
        balancing = any(
            isinstance(fault, Reconcile) and fault.aim == "balance"
            for fault in self.session.scenario.faults
        )
        for tabs in self._tabs:
            tabs.show("Queues" if balancing else "Share")

    # ------------------------------------------------------------------ showing

    def _update_main(self, view: DeckView) -> None:
        if self._shown_of != self.session.scenario.name:
            self._shown_of = self.session.scenario.name
            self._open_telling()
        self._mesh.update(view)

    def _slots(self) -> Iterable[Slot]:
        return (
            self._mesh,
            self._norm,
            self._lamps,
            self._gossip,
            self._residual,
            self._share,
            self._queues,
        )
