"""The partition control: choose sides, cut, see what the cut stopped, heal."""

from collections.abc import Sequence

import numpy as np
import param
from numpy.typing import NDArray

from flockcore.kernel.fault_text import EXPLANATIONS
from flockcore.kernel.faults import Cut, Fault, Heal, Partition
from flockcore.kernel.script import Span
from flockpit.cuts import around, halves, sectors, sides_of
from flockpit.look.widgets import box, button, html, rename, segments
from flockpit.session import Session
from flockpit.texts import count, duration

__all__ = ["PartitionControl", "one_way_pairs"]

HALVES, THIRDS, ISOLATE, LASSO = "A | B", "3 ways", "Isolate", "Lasso"

_TEXTS = {
    None: ("Cuts every link between sides.", "Press one of the four to cut at the next tick."),
    HALVES: ("Cuts every link between the sides.", "Nodes keep running on what they last heard."),
    THIRDS: ("Cuts every link between three sides.", "None of them hears of the other two."),
    ISOLATE: ("Cuts off each selected node.", "It keeps running, on its own."),
    LASSO: ("Cuts off what you drew round.", "Draw again for one more side."),
}
_ARMED = ("Draw round nodes on the map.", "They become a side of their own.")
_ONE_WAY = ("Stops what {a} sends to {b}.", "{a} still hears {b}, and does not know it is cut off.")


def one_way_pairs(groups: Sequence[Sequence[int]], nodes: int) -> tuple[tuple[int, int], ...]:
    """Return which side is no longer heard by which, when a cut stops one direction.

    Sides that cover the flock fall silent to the next one, others to all that no side names.

    Args:
        groups: the sides.
        nodes: number of nodes N.
    """
    sides = len(groups)
    if sum(map(len, groups)) < nodes:
        return tuple((side, sides) for side in range(sides))
    return tuple((side, (side + 1) % sides) for side in range(1 if sides == 2 else sides))


class PartitionControl:
    """Widgets that cut and heal.

    Args:
        session: what is cut.

    Attributes:
        view: to be placed in the card of faults.
        armed: whether the next lasso on the map becomes a side.
        terse: whether there is no room for a sentence on what holds.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.terse = False
        self.armed = False
        self.one_way = False
        self.selected: tuple[int, ...] = ()
        self._drawn: list[tuple[int, ...]] = []
        self._setting = False
        self._title = html()
        self._shape = segments(
            [HALVES, THIRDS, ISOLATE, LASSO],
            None,
            label="Partition",
            hint=EXPLANATIONS["partition"],
        )
        self._shape.param.watch(self._chosen, "value")
        self._text = html(classes=("explain",))
        self._counts = html()
        self._heal = button("Heal  H", self.heal, classes=("primary",), hint=EXPLANATIONS["heal"])
        self._ways = button("One way", self.turn, hint="Stop traffic in one direction only.")
        self.view = box(
            self._title,
            self._shape,
            self._text,
            self._counts,
            box(self._heal, self._ways, classes=("pair",)),
            classes=("stack", "partition"),
        )

    # ------------------------------------------------------------------ deeds

    def cut(self, shape: str) -> None:
        """Cut the flock, in place of any cut that holds."""
        groups = self._groups(shape)
        if not groups:
            if shape == LASSO:
                self.armed, self._drawn = True, []
                self.session.touch()
            else:
                self.session.say("Select the nodes to isolate first: click one.", refused=True)
            return
        self._inject(groups)

    def draw(self, nodes: Sequence[int]) -> None:
        """Take what was drawn round on the map as one more side."""
        self._drawn.append(tuple(nodes))
        self._inject(sides_of(self._drawn))

    def heal(self) -> None:
        """End all partitions and cuts."""
        self.armed, self._drawn = False, []
        if self.holding():
            self.session.inject(Heal())
        else:
            self.session.say("Nothing to heal: no partition or cut holds.", refused=True)

    def turn(self) -> None:
        """Change between cutting one direction and both; a cut that holds follows."""
        self.one_way = not self.one_way
        found = [span.fault for span in self.holding() if isinstance(span.fault, Partition)]
        if found and isinstance(found[-1], Partition):
            self._inject(found[-1].groups)
        self.session.touch()

    def _inject(self, groups: Sequence[Sequence[int]]) -> None:
        sides = tuple(tuple(group) for group in groups)
        ways = one_way_pairs(sides, self.session.scenario.nodes) if self.one_way else ()
        cut = Partition(groups=sides, one_way=ways)
        before: tuple[Fault, ...] = (Heal(),) if self.holding() else ()
        self.session.inject(*before, cut)

    def _groups(self, shape: str) -> tuple[tuple[int, ...], ...]:
        flock = self.session.sim.flock
        members = self._members()
        if shape == HALVES:
            return halves(flock.positions, members)
        if shape == THIRDS:
            return sectors(flock.positions, members)
        if shape == ISOLATE:
            return around(self.selected, members)
        self._drawn = [self.selected] if len(self.selected) > 1 else []
        self.armed = True
        return sides_of(self._drawn)

    def _members(self) -> NDArray[np.bool_]:
        return ~self.session.sim.world.absent

    # ------------------------------------------------------------------ what is shown

    def holding(self) -> list[Span]:
        """Return the partitions and cuts that hold now or from the next tick on."""
        tick = self.session.tick
        script = self.session.sim.script
        spans = {span.ordinal: span for at in (tick, tick + 1) for span in script.holding(at)}
        ended = {span.ordinal for span in script.ends(tick + 1)}
        return [
            span
            for ordinal, span in spans.items()
            if isinstance(span.fault, Partition | Cut) and ordinal not in ended
        ]

    def shape_of(self, spans: Sequence[Span]) -> str | None:
        """Return which of the four shapes the cut has; None when nothing is cut."""
        found = [span.fault for span in spans if isinstance(span.fault, Partition)]
        if not found:
            return None
        sides = found[-1].groups
        if list(sides) == list(sides_of(self._drawn)):
            return LASSO
        if all(len(side) == 1 for side in sides):
            return ISOLATE
        whole = sum(map(len, sides)) == self.session.scenario.nodes
        number = len(sides) + (not whole)
        return {2: HALVES, 3: THIRDS}.get(number, LASSO)

    def update(self) -> None:
        """Show what holds, and what it stopped."""
        spans = self.holding()
        shape = self.shape_of(spans)
        self._setting = True
        self._shape.value = LASSO if self.armed and not spans else shape
        self._setting = False
        self._title.object = f"<div class='row'><h3>Partition</h3>{self._since(spans)}</div>"
        self._text.visible = not self.terse
        first, second = self._words(spans, shape)
        self._text.object = f"<p class='words'>{first}<span class='wide'> {second}</span></p>"
        self._counts.object = self._proof(spans)
        self._heal.disabled = not spans
        rename(self._ways, "Both ways" if self.one_way else "One way")

    def _chosen(self, event: param.parameterized.Event) -> None:
        if not self._setting and event.new is not None:
            self.cut(event.new)
            self.session.touch()

    def _since(self, spans: Sequence[Span]) -> str:
        tick, tick_us = self.session.tick, self.session.scenario.tick_us
        if not spans:
            return "<span class='small quiet'>none holds</span>"
        start = min(span.start for span in spans)
        if start > tick:
            return "<span class='small quiet'>from the next tick</span>"
        return f"<span class='small quiet'>on for {duration(tick - start + 1, tick_us)}</span>"

    def _words(self, spans: Sequence[Span], shape: str | None) -> tuple[str, str]:
        if self.armed and not spans:
            return _ARMED
        ways = [
            w for span in spans if isinstance(span.fault, Partition) for w in span.fault.one_way
        ]
        if ways:
            (source, target), *_ = ways
            names = {"a": "ABCDEFGH"[source % 8], "b": "ABCDEFGH"[target % 8]}
            return _ONE_WAY[0].format(**names), _ONE_WAY[1].format(**names)
        if shape is None and spans:
            return f"{len(spans)} single links are cut.", ""
        return _TEXTS[shape]

    def _proof(self, spans: Sequence[Span]) -> str:
        network = self.session.sim.network
        ordinals = [span.ordinal for span in spans]
        crossed = sum(int(network.passed[n]) for n in ordinals)
        dropped = sum(int(network.touched[n]) for n in ordinals)
        tone = "dead" if dropped else "none"
        return (
            f"<div class='numbers'><div><b>{count(crossed)}</b><span>crossed</span></div><div>"
            f"<b class='{tone}'>{count(dropped)}</b><span>dropped at the cut</span></div></div>"
        )
