"""The Curl deck: what edges claim, where claims contradict each other, and how that is mended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from flockcore.kernel.faults import Reconcile
from flockcore.scenario import TourStop
from flockpit.controls.conflict import Conflict
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
from flockpit.instruments.view import DeckView, Flow, Viewpoint

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


class CurlDeck(Deck):
    """Everything below the top bar, about flows."""

    name: ClassVar[str] = "Curl"
    layer: ClassVar[str] = "hodge"
    sheets: ClassVar[tuple[str, ...]] = ("deck", "curl")

    def _build(self) -> Mapping[str, Callable[[DeckView], object]]:
        theme = self._theme
        self.conflict = Conflict(self.session, self._picked)
        self._mesh = self._slot(FlowMap(self.select, self.conflict.pick, theme))
        self._norm = self._slot(CurlNorm(self._axis, theme))
        self._gossip = self._slot(FlowGossip(theme))
        self._residual = self._slot(FlowResidual(theme))
        self._share, self._queues = self._slot(FlowShare()), self._slot(FlowQueues())
        self._cards = self._box(classes=("evidence",))
        self._shown_of = ""
        return {
            "norm": self._norm.update,
            "gossip": lambda view: self._beside(self._gossip, view),
            "residual": lambda view: self._beside(self._residual, view),
            "share": self._turn_of(self._share),
            "queues": self._turn_of(self._queues),
            "conflict": lambda _: self.conflict.update(),
        }

    def _timeline(self) -> Timeline:
        return Timeline(
            self.session, self.time, self._theme, hints=_HINTS, decided=settlements, row="flows"
        )

    # ------------------------------------------------------------------ layout

    def _causes(self) -> Sequence[Any]:
        return self.conflict.view, self.faults.view, self.nodes.view

    def _world(self, overlays: object) -> Any:  # noqa: ANN401
        return self._box(self._mesh.view, overlays, classes=("card", "main"))

    def _evidence(self) -> Sequence[Any]:
        strips = self._box(self._norm.view, self._axis.foot, classes=("card", "strips"))
        return strips, self._cards

    def _arrange(self) -> None:
        """Two small cards side by side where there is room, one with a switch elsewhere."""
        small = {"Gossip": self._gossip, "Residual": self._residual}
        large = {"Share": self._share, "Queues": self._queues}
        if self._wide:
            cards = self._tabbed([large])
            alone = [self._box(slot.view, classes=("card",)) for slot in small.values()]
            self._cards.objects = [self._box(*alone, classes=("duo",)), *cards]
        else:
            self._cards.objects = self._tabbed([small, large])
        self._open_telling()

    def _beside(self, slot: Slot, view: DeckView) -> None:
        if self._wide or any(tabs.shown is slot for tabs in self._tabs):
            slot.update(view)

    # ------------------------------------------------------------------ choosing

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
