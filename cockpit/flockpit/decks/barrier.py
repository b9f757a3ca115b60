"""The Barrier deck: hosts at a gate that knows only what their reports say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from flockcore.scenario import TourStop
from flockpit.controls.policy import PolicyEditor
from flockpit.controls.provision import ProvisionForm
from flockpit.controls.spans import gate_marks
from flockpit.controls.timeline import Timeline
from flockpit.decks.deck import Deck
from flockpit.decks.tabs import Tabs
from flockpit.instruments.barrier_counts import BarrierCounts
from flockpit.instruments.barrier_fuzz import Fuzz
from flockpit.instruments.barrier_lanes import BarrierLanes
from flockpit.instruments.barrier_outcome import BarrierOutcome
from flockpit.instruments.barrier_proofs import Proofs
from flockpit.instruments.barrier_trace import BarrierTrace
from flockpit.instruments.view import DeckView, Viewpoint
from flockpit.instruments.waffle import Waffle

__all__ = ["BarrierDeck"]

_HINTS = (
    ("toggle", ("space",), "play"),
    ("back", ("←",), ""),
    ("step", ("→",), "step"),
    ("provision", ("I",), "provision"),
    ("fewer", ("[",), ""),
    ("more", ("]",), "ask for fewer, more"),
    ("fuzz", ("Q",), "fuzz"),
    ("fork", ("F",), "fork here"),
    ("keys", ("?",), "all keys"),
)
_CARDS = {Viewpoint.NODE: "Trace", Viewpoint.MAJORITY: "Fuzz", Viewpoint.TRUTH: "Proofs"}
"""The three keys that choose a viewpoint elsewhere choose a card here."""


class BarrierDeck(Deck):
    """Everything below the top bar, about who is ready."""

    name: ClassVar[str] = "Barrier"
    layer: ClassVar[str] = "barrier"
    sheets: ClassVar[tuple[str, ...]] = ("deck", "barrier")

    def _timeline(self) -> Timeline:
        return Timeline(
            self.session, self.time, self._theme, hints=_HINTS, decided=gate_marks, row="gate"
        )

    def _build(self) -> Mapping[str, Callable[[DeckView], object]]:
        theme, again = self._theme, self.session.touch
        self.policy = PolicyEditor(self.session)
        self.start = ProvisionForm(self.session, self.policy)
        self._waffle = self._slot(Waffle(self.select, theme, resized=again))
        self._counts = self._slot(BarrierCounts(self._axis, theme))
        self._lanes = self._slot(BarrierLanes(self._axis, self.select, theme, resized=again))
        self._outcome, self._trace = self._slot(BarrierOutcome()), self._slot(BarrierTrace())
        self.fuzz = Fuzz(self.session)
        self._fuzz, self._proofs = self._slot(self.fuzz), self._slot(Proofs(self.session))
        self._ask = Tabs({"Policy": self.policy, "Provision": self.start}, "ask")
        self._cards = self._box(classes=("evidence",))
        return {
            # They share a playhead: when it moves both are painted.
            "lanes": self._update_lanes,
            "outcome": self._outcome.update,
            "trace": self._turn_of(self._trace),
            "fuzz": self._turn_of(self._fuzz),
            "proofs": self._turn_of(self._proofs),
            "policy": lambda _: self.policy.update(),
            "provision": lambda _: self.start.update(),
        }

    # ------------------------------------------------------------------ layout

    def _causes(self) -> Sequence[Any]:
        # Three cards share the column: there is no room for what the titles of buttons say too.
        self.faults.partition.terse = self.nodes.terse = True
        return self._ask.view, self.faults.view, self.nodes.view

    def _world(self, overlays: object) -> Any:  # noqa: ANN401
        waffle = self._box(self._waffle.view, classes=("card", "hosts"))
        lanes = self._box(self._counts.view, self._lanes.view, classes=("card", "strips"))
        return self._box(waffle, lanes, overlays, classes=("main", "barrier-main"))

    def _evidence(self) -> Sequence[Any]:
        return self._box(self._outcome.view, classes=("card",)), self._cards

    def _arrange(self) -> None:
        """One card with a switch, however wide the page is: each of them is long."""
        if not self._tabs:
            cards = {"Trace": self._trace, "Fuzz": self._fuzz, "Proofs": self._proofs}
            self._cards.objects = self._tabbed([cards])

    # ------------------------------------------------------------------ choosing

    def look(self, viewpoint: Viewpoint) -> None:
        """Turn to a card, by the keys that elsewhere choose a viewpoint."""
        self._turn_to(_CARDS[viewpoint])

    def _turn_to(self, word: str) -> None:
        any(tabs.show(word) for tabs in self._tabs)
        self.session.touch()

    def run_fuzz(self) -> None:
        """Run the fuzz suite where it can be seen, or stop it."""
        self._turn_to("Fuzz")
        self.fuzz.toggle()

    def _focus(self, stop: TourStop) -> None:
        self.select(() if stop.focus is None else (stop.focus,))

    # ------------------------------------------------------------------ showing

    def _update_main(self, view: DeckView) -> None:
        self._waffle.update(view)

    def _update_lanes(self, view: DeckView) -> None:
        self._counts.update(view)
        self._lanes.update(view)
