"""What the Curl deck shows of a run: whose flow, its parts, and what else it could be.

Every reading is a pure function of the simulation's state. Solving for the parts of a flow takes
milliseconds, and a flow changes far more rarely than frames follow each other, so parts are kept by
the flow that they belong to.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from flockcore.hodge.operators import curl, divergence, gradient
from flockcore.hodge.options import LIVE_NODES
from flockcore.hodge.projection import Decomposition
from flockcore.hodge.reports import CONSISTENT
from flockcore.hodge.workload import QUEUE_SCALE
from flockpit.instruments.base import Columns
from flockpit.instruments.view import DeckView, Flow
from flockpit.texts import node

__all__ = [
    "NOTHING",
    "Evening",
    "Parts",
    "Reading",
    "absent",
    "no_rows",
    "parts_of",
    "read",
    "whose",
]

type Floats = NDArray[np.float64]

NOTHING = "Nothing was written yet."
_KEPT = 96
_MOST_GROUPS = 24
"""Groups of nodes whose flows are averaged; more there are only while entries are spreading."""
_QUIET = 1e-9
"""Share of the largest flow below which a number is rounding."""

_KNOWN: WeakKeyDictionary[Any, OrderedDict[bytes, Any]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """A flow and its three parts.

    Attributes:
        flow: on each edge, shape (E,).
        gradient: what potentials explain, shape (E,).
        curl: what turns round triangles, shape (E,).
        harmonic: what turns round holes, shape (E,).
        turn: curl round each triangle, shape (T,).
        solved: how the parts were found.
        took_ms: wall time that it took.
    """

    flow: Floats
    gradient: Floats
    curl: Floats
    harmonic: Floats
    turn: Floats
    solved: Decomposition
    took_ms: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of gradient, curl and harmonic part in the squared norm; 0 for no flow."""
        squares = [float(np.sum(part**2)) for part in (self.gradient, self.curl, self.harmonic)]
        whole = sum(squares)
        if whole <= CONSISTENT**2:
            return 0.0, 0.0, 0.0
        return squares[0] / whole, squares[1] / whole, squares[2] / whole

    @property
    def curl_norm(self) -> float:
        """Norm of the curls round all triangles."""
        return float(np.sqrt(np.sum(self.turn**2)))


@dataclass(frozen=True, eq=False, slots=True)
class Evening:
    """Queues of each node as a flow would leave them after one unit of time.

    Attributes:
        now: shape (N,).
        projected: after what is left of the flow once its curl is removed, shape (N,).
        balanced: after the flow that evens the queues out, shape (N,).
    """

    now: Floats
    projected: Floats
    balanced: Floats


class Reading:
    """Whose flow is shown, and what it is made of.

    Args:
        view: of the run; something was written.

    Attributes:
        node: the node whose flow is shown.
        same: nodes that act on the same flow, shape (N,).
        versions: different flows that nodes act on.
        held: the flow that the node acts on.
        groups: flow that each group of nodes acts on, the largest group first, shape (G, E).
        sizes: number of nodes in each, shape (G,).
    """

    def __init__(self, view: DeckView) -> None:
        hodge = view.sim.hodge
        self.hodge = hodge
        self.plan = hodge.state.mesh.plan
        members, group, sizes = hodge.groups()
        order = np.argsort(-sizes, kind="stable")
        chosen = view.choice.selected[:1]
        self.node = chosen[0] if chosen else int(members[order[0]]) if len(order) else 0
        own = int(group[self.node])
        self.same: NDArray[np.bool_] = (group == own) if own >= 0 else np.zeros(len(group), bool)
        self.same[self.node] = True
        self.up: NDArray[np.bool_] = group >= 0
        self.versions = len(sizes)
        kept = order[:_MOST_GROUPS]
        self.sizes: NDArray[np.intp] = sizes[kept]
        self.groups: Floats = np.array(
            [hodge.settled(int(members[place])) for place in kept], dtype=np.float64
        ).reshape(len(kept), self.complex.edge_count)
        self.held: Parts = parts_of(self.plan, hodge.settled(self.node))

    @property
    def complex(self) -> Any:  # noqa: ANN401
        """The complex on which the flows live."""
        return self.plan.complex

    @cached_property
    def mean_flow(self) -> Floats:
        """The mean of all flows that nodes act on, shape (E,)."""
        if len(self.groups) < 2:
            return self.held.flow
        return np.asarray(np.average(self.groups, axis=0, weights=self.sizes))

    @cached_property
    def mean(self) -> Parts:
        """What averaging would come to, and its parts."""
        return parts_of(self.plan, self.mean_flow)

    @cached_property
    def projected(self) -> Parts:
        """The flow that is held, without its curl."""
        held = self.held
        left = held.flow - held.curl
        none = np.zeros(len(left))
        turn = np.asarray(curl(self.complex, left))
        return Parts(left, held.gradient, none, held.harmonic, turn, held.solved, held.took_ms)

    def shown(self, flow: Flow) -> Parts:
        """Return one of the three flows that the mesh can show."""
        if flow is Flow.GOSSIP:
            return self.mean
        return self.projected if flow is Flow.PROJECTED else self.held

    @cached_property
    def largest(self) -> float:
        """Largest flow of the three on any edge: their common scale; 0 where there is none."""
        flows = (self.held.flow, self.mean_flow, self.projected.flow)
        found = max(float(np.abs(flow).max(initial=0.0)) for flow in flows)
        return found if found > CONSISTENT else 0.0

    @cached_property
    def sharpest(self) -> float:
        """Largest curl of the three round any triangle; 0 where there is none."""
        turns = (self.held.turn, curl(self.complex, self.mean_flow))
        found = max(float(np.abs(turn).max(initial=0.0)) for turn in turns)
        return found if found > CONSISTENT else 0.0

    def key(self, flow: Flow) -> tuple[object, ...]:
        """Equal where what the mesh shows of a flow is."""
        shown = self.mean_flow if flow is Flow.GOSSIP else self.held.flow
        return (self.plan, flow, shown.tobytes(), self.largest, self.sharpest)

    @property
    def holes(self) -> int:
        """Holes that no triangles fill."""
        return int(self.plan.projector.betti[1])

    @cached_property
    def evening(self) -> Evening:
        """What the entries would do to the queues, whatever was made of them so far."""
        hodge = self.hodge
        queues = np.asarray(hodge.flock.own[0], dtype=np.float64) / 65536.0 * QUEUE_SCALE
        known = hodge.knowledge(self.node)
        key = b"queues" + known.flow.tobytes() + queues.tobytes()
        return _kept(self.plan, key, lambda: self._evened(known, queues))

    def _evened(self, known: Any, queues: Floats) -> Evening:  # noqa: ANN401
        left = known.projection.flow
        added = gradient(self.complex, known.balance(queues).x)
        return Evening(
            now=queues,
            projected=queues + divergence(self.complex, left),
            balanced=queues + divergence(self.complex, left + added),
        )


def parts_of(plan: Any, flow: Floats) -> Parts:  # noqa: ANN401
    """Return a flow's three parts, each flow solved for once."""
    return _kept(plan, flow.tobytes(), lambda: _solved(plan, flow))


def _solved(plan: Any, flow: Floats) -> Parts:  # noqa: ANN401
    projector = plan.projector
    began = time.perf_counter()
    found = projector.decompose(flow)
    took = (time.perf_counter() - began) * 1e3
    quiet = _QUIET * max(float(np.abs(flow).max(initial=0.0)), CONSISTENT)
    rise, round_, rest = (
        np.where(np.abs(part) > quiet, part, 0.0)
        for part in (found.gradient, found.curl, found.harmonic)
    )
    turn = np.asarray(curl(plan.complex, flow), dtype=np.float64)
    return Parts(flow, rise, round_, rest, turn, found, took)


def _kept(plan: Any, key: bytes, make: Any) -> Any:  # noqa: ANN401
    known = _KNOWN.setdefault(plan, OrderedDict())
    found = known.get(key)
    if found is None:
        found = known[key] = make()
        while len(known) > _KEPT:
            known.popitem(last=False)
    else:
        known.move_to_end(key)
    return found


def absent(view: DeckView) -> str:
    """Return why there is no flow to be seen, or nothing if there is one."""
    hodge = view.sim.hodge
    if not hodge.live:
        return (
            f"Flows are live in flocks of 2 to {LIVE_NODES:,} nodes; this one has {view.nodes:,}."
        )
    if not len(hodge.state.log.writer):
        return NOTHING
    return "" if hodge.world.up.any() else "No node runs: nobody holds a flow."


def read(view: DeckView) -> Reading | None:
    """Return what there is to see, worked out once for each view; None where `absent` says why."""
    if "flow" not in view.memo:
        view.memo["flow"] = None if absent(view) else Reading(view)
    found: Reading | None = view.memo["flow"]
    return found


def no_rows(*names: str) -> Columns:
    """Return columns of these names without a row."""
    return {name: [] for name in names}


def whose(view: DeckView, reading: Reading) -> str:
    """Return whose flow is shown, and who shares it."""
    if view.choice.selected:
        others = int(reading.same.sum()) - 1
        shared = f", as {others} others do" if others > 1 else ", as one other does" * others
        return f"{node(reading.node)} acts on this{shared}"
    return f"{int(reading.same.sum())} of {int(reading.up.sum())} nodes act on this"
