"""Where a fault strikes: an outline round it, for a moment of wall time."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flockcore.kernel.faults import Cut, Partition
from flockpit.instruments.base import Columns
from flockpit.instruments.map_sides import side_columns
from flockpit.instruments.view import DeckView

__all__ = ["PULSE_S", "STILL_S", "Strikes", "struck"]

PULSE_S = 0.4
"""How long the outline shows."""
STILL_S = 1.0
"""Likewise for whoever wants less motion: a short flash is motion too."""
_LONGEST_TICKS = 100
"""Whoever goes further at once has not seen the fault strike."""

type Nodes = NDArray[np.intp]


def struck(view: DeckView, since: int) -> tuple[Nodes, bool]:
    """Return the nodes that faults struck after a tick, and whether the flock was cut.

    Args:
        view: what is shown.
        since: the tick that was shown before.
    """
    nodes: set[int] = set()
    cut = False
    for span in view.sim.script.spans:
        if since < span.start <= view.tick:
            fault = span.fault
            if isinstance(fault, Partition):
                cut = True
            elif isinstance(fault, Cut):
                nodes |= {fault.source, fault.target}
            else:
                nodes.update(getattr(fault, "nodes", ()))
    found = np.array(sorted(node for node in nodes if node < view.nodes), dtype=np.intp)
    return found, cut


class Strikes:
    """Remembers what was struck until its moment is over.

    Args:
        clock: wall time in seconds.

    Attributes:
        lasting: seconds of wall time that an outline shows.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.lasting = PULSE_S
        self._clock = clock
        self._shown: tuple[object, int] = (None, 0)
        self._until = 0.0
        self._what: tuple[Nodes, bool] = (np.zeros(0, dtype=np.intp), False)

    @property
    def rest(self) -> float:
        """Seconds until the outline goes; 0 when there is none."""
        return max(self._until - self._clock(), 0.0)

    def look(self, view: DeckView) -> None:
        """Take note of the tick that is shown, and of what struck on the way to it."""
        sim, tick = self._shown
        self._shown = (view.sim, view.tick)
        if sim is view.sim and 0 < view.tick - tick <= _LONGEST_TICKS:
            nodes, cut = struck(view, tick)
            if len(nodes) or cut:
                self._what, self._until = (nodes, cut), self._clock() + self.lasting

    def key(self) -> object:
        """Return what the outlines depend on."""
        nodes, cut = self._what
        return (nodes.tobytes(), cut) if self.rest else None

    def places(self, view: DeckView) -> Columns:
        """Return the seats of the nodes that are outlined: x, y."""
        nodes = self._what[0] if self.rest else self._what[0][:0]
        nodes = nodes[nodes < view.nodes]
        return {"x": view.positions[nodes, 0], "y": view.positions[nodes, 1]}

    def outlines(self, view: DeckView) -> Columns:
        """Return the outlines of the sides, while a cut is outlined: xs, ys."""
        if not (self.rest and self._what[1]):
            return {"xs": [], "ys": []}
        found = side_columns(view)
        return {name: [np.append(line, line[:1]) for line in found[name]] for name in ("xs", "ys")}
