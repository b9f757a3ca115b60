"""The card of faults: partition, and a slider for each way in which a network can be bad."""

from abc import abstractmethod
from math import log
from typing import Any

from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import (
    Clear,
    Delay,
    Duplicate,
    Fault,
    LinkFault,
    Loss,
    Reorder,
    SetNeighbours,
)
from flockpit.controls.knob import Knob
from flockpit.controls.partition import PartitionControl
from flockpit.look.widgets import box, html, range_slider, slider
from flockpit.session import Session
from flockpit.texts import count, percent

__all__ = ["FaultPanel"]

type _Pair = tuple[float, float]

_REORDER_BY_US = 5_000


class _FaultKnob[Value](Knob[Value]):
    """A slider that injects faults."""

    @abstractmethod
    def _faults(self, value: Value) -> tuple[Fault, ...]:
        """Return what a value of the slider asks for."""

    def _apply(self, value: Value) -> None:
        self.session.inject(*self._faults(value))


class _LinkKnob[Value](_FaultKnob[Value]):
    """A slider for a fault that acts on every link alike."""

    unit: str

    def _held(self) -> list[tuple[int, LinkFault]]:
        """Faults of this kind on all links that hold now or from the next tick on."""
        script, tick = self.session.sim.script, self.session.tick
        ended = {span.ordinal for span in script.ends(tick + 1)}
        spans = {span.ordinal: span for at in (tick, tick + 1) for span in script.holding(at)}
        return [
            (ordinal, span.fault)
            for ordinal, span in spans.items()
            if isinstance(span.fault, LinkFault)
            and span.fault.kind_name == self.kind
            and not span.fault.sources
            and not span.fault.targets
            and ordinal not in ended
        ]

    def _renewed(self, fault: Fault | None) -> tuple[Fault, ...]:
        clear: tuple[Fault, ...] = (Clear(kind=self.kind),) if self._held() else ()
        return (*clear, fault) if fault is not None else clear

    def _proof(self) -> str:
        touched = self.session.sim.network.touched
        done = sum(int(touched[ordinal]) for ordinal, _ in self._held())
        return f"{count(done)} {self.unit}"


class _ShareKnob(_LinkKnob[float]):
    """A slider for the share of messages that something happens to."""

    @abstractmethod
    def _make(self, share: float) -> Fault:
        """Return the fault for a share above 0."""

    def _widget(self) -> Any:  # noqa: ANN401
        label = f"{self.name}: share of messages in per cent"
        return slider(label, start=0, end=50, step=0.5, value=0, hint=EXPLANATIONS[self.kind])

    def _faults(self, value: float) -> tuple[Fault, ...]:
        share = value / 100
        return self._renewed(self._make(share) if share else None)

    def _now(self) -> float:
        """Several faults of a kind act one after the other."""
        spared = 1.0
        for _, fault in self._held():
            assert isinstance(fault, Loss | Duplicate | Reorder)
            spared *= 1.0 - fault.probability
        return round(100 * (1.0 - spared), 1)

    def _words(self, value: float) -> str:
        return percent(value / 100)


class _LossKnob(_ShareKnob):
    name, gloss, kind, unit = "Loss", "each message alone", "loss", "lost"

    def _make(self, share: float) -> Fault:
        return Loss(probability=share)


class _DuplicateKnob(_ShareKnob):
    name, gloss, kind, unit = "Duplicate", "arrives twice", "duplicate", "twice"

    def _make(self, share: float) -> Fault:
        return Duplicate(probability=share)


class _ReorderKnob(_ShareKnob):
    name, gloss, kind, unit = "Reorder", "overtaken in flight", "reorder", "late"

    def _make(self, share: float) -> Fault:
        return Reorder(probability=share, by_us=_REORDER_BY_US)


class _DelayKnob(_LinkKnob[_Pair]):
    name, gloss, kind, unit = "Delay", "least + mean", "delay", "delayed"

    def _widget(self) -> Any:  # noqa: ANN401
        return range_slider(
            "Delay in milliseconds: least, and least plus mean",
            start=0,
            end=50,
            step=1,
            value=(0, 0),
            hint=f"{EXPLANATIONS[self.kind]} Left handle: the fixed part.",
        )

    def _faults(self, value: _Pair) -> tuple[Fault, ...]:
        least, both = value
        mean = int(1000 * (both - least))
        fault = Delay(min_us=int(1000 * least), mean_us=mean) if both else None
        return self._renewed(fault)

    def _now(self) -> _Pair:
        least, mean = self._parts()
        return (least, least + mean)

    def _parts(self) -> tuple[float, float]:
        found = [fault for _, fault in self._held() if isinstance(fault, Delay)]
        least = sum(fault.min_us for fault in found) / 1000
        return least, sum(fault.mean_us for fault in found) / 1000

    def _words(self, value: _Pair) -> str:
        least, both = value
        return f"{least:g} + {both - least:g} ms"

    def _proof(self) -> str:
        least, mean = self._parts()
        if not least + mean:
            return super()._proof()
        return f"p99 {least + mean * log(100):.0f} ms"


class _NeighbourKnob(_FaultKnob[int]):
    name, gloss, kind = "Neighbours", "each node elects k", "set_neighbours"

    def _widget(self) -> Any:  # noqa: ANN401
        return slider(
            "Neighbours: how many each node elects",
            start=3,
            end=15,
            step=1,
            value=7,
            hint=EXPLANATIONS[self.kind],
        )

    def _faults(self, value: int) -> tuple[Fault, ...]:
        return (SetNeighbours(k=int(value)),)

    def _now(self) -> int:
        k, tick = self.session.scenario.k, self.session.tick + 1
        for fault in self.session.sim.script.faults:
            if isinstance(fault, SetNeighbours) and (fault.start or 1) <= tick:
                k = fault.k
        return k

    def _words(self, value: int) -> str:
        return f"k = {value:g}"

    def _proof(self) -> str:
        return f"of {count(self.session.scenario.nodes)}"


class FaultPanel:
    """The card of faults.

    Args:
        session: what they happen to.

    Attributes:
        partition: the control that cuts and heals.
        view: the card.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.partition = PartitionControl(session)
        knobs = (_LossKnob, _DelayKnob, _DuplicateKnob, _ReorderKnob, _NeighbourKnob)
        self._knobs = [knob(session) for knob in knobs]
        self._head = html(classes=("head",))
        self.view = box(
            self._head,
            self.partition.view,
            box(*(knob.view for knob in self._knobs), classes=("knobs",)),
            classes=("card", "faults"),
        )

    def update(self) -> None:
        """Show what holds, and what it did."""
        note = "<span class='small quiet'>step back undoes</span>"
        if self.session.can_undo:
            note = "<button class='link' data-do='undo'>Undo the last</button>"
        self._head.object = f"<div class='row'><h2>Faults</h2>{note}</div>"
        self.partition.update()
        for knob in self._knobs:
            knob.update()
