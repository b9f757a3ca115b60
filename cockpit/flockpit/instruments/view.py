"""What instruments see: a simulation at one tick, and what the person at the screen has chosen."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import Health, NodeStatus
from flockcore.flock.fields import decayed
from flockcore.kernel.faults import Cut, Partition
from flockcore.kernel.layer import Event, Verdict
from flockcore.kernel.script import Span

__all__ = ["NOT_SEEN", "Choice", "DeckView", "Flow", "Transitions", "Viewpoint"]

NOT_SEEN = 255
"""Belief about a node that is not in the observer's reach."""


class Viewpoint(StrEnum):
    """Whose belief the map shows."""

    NODE = "node"
    MAJORITY = "majority"
    TRUTH = "truth"


class Flow(StrEnum):
    """Which flow the mesh shows."""

    REPORTED = "reported"
    """What a node acts on: the entries that it has, as it last corrected them."""
    GOSSIP = "gossip"
    """What all would come to by averaging with each other."""
    PROJECTED = "projected"
    """The reported flow without its curl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the person has chosen to look at.

    Attributes:
        viewpoint: whose belief the map shows; a node's needs a selected node.
        selected: selected nodes; the first is the one that is inspected.
        component: field component that is drawn, 0 is load.
        subject: node whose detection is drawn; None for all of them together.
        flow: which flow the mesh shows.
        triangle: corners of the triangle that was picked, ascending, or None.
    """

    viewpoint: Viewpoint = Viewpoint.MAJORITY
    selected: tuple[int, ...] = ()
    component: int = 0
    subject: int | None = None
    flow: Flow = Flow.REPORTED
    triangle: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Transitions:
    """Changes of belief, ascending by tick.

    Attributes:
        tick: when, shape (n,).
        observer: whose belief changed, shape (n,).
        subject: about whom, shape (n,).
        after: `Health` from then on, shape (n,).
    """

    tick: NDArray[np.int64]
    observer: NDArray[np.int64]
    subject: NDArray[np.int64]
    after: NDArray[np.uint8]


class DeckView:
    """A simulation at its present tick, read lazily: an instrument pays for what it asks.

    A view is made anew for each frame and holds still while the frame is drawn.

    Args:
        sim: the simulation; it must not advance while the view is in use.
        choice: what the person looks at.
        length: ticks that the time axis spans.
        beside: the view of another branch that is compared, or None.
        layer: name of the layer whose invariants are asked for.

    Attributes:
        tick: ticks done.
        nodes: number of seats N.
        seconds: length of a tick in seconds.
        memo: what instruments computed from this view and want to use again.
    """

    def __init__(
        self,
        sim: Any,  # noqa: ANN401
        choice: Choice | None = None,
        *,
        length: int = 0,
        beside: "DeckView | None" = None,
        layer: str = "flock",
    ) -> None:
        self.sim = sim
        self.beside = beside
        self.layer = layer
        self.choice = Choice() if choice is None else choice
        self.tick: int = sim.tick
        self.recorded_until: int = max(int(sim.series.recorded_until), 0)
        self.length = max(length, self.recorded_until, 1)
        self.seconds: float = sim.scenario.tick_us / 1e6
        self.nodes: int = len(sim.flock.truth)
        self.memo: dict[str, Any] = {}

    # ------------------------------------------------------------------ time

    @property
    def now(self) -> float:
        """Simulated time since tick 0, in seconds."""
        return self.tick * self.seconds

    @cached_property
    def recording(self) -> tuple[object, ...]:
        """What identifies the recorded run: while it stays equal, so does the recorded past."""
        return (
            id(self.sim),
            self.sim.branch,
            id(self.sim.script),
            self.recorded_until,
            self.length,
        )

    def series(self, name: str) -> NDArray[np.int64]:
        """Return a column of statistics over all recorded ticks, the future included."""
        column: NDArray[np.int64] = self.sim.series.column(name, self.recorded_until + 1)
        return column

    def latest(self, name: str) -> int:
        """Return a column's value at the present tick."""
        return int(self.sim.series.column(name, self.recorded_until + 1)[self.tick])

    def log(self, name: str) -> dict[str, NDArray[Any]]:
        """Return all rows of a log, the recorded future included."""
        rows: dict[str, NDArray[Any]] = self.sim.records.logs[name].rows()
        return rows

    @cached_property
    def transitions(self) -> "Transitions":
        """All changes of belief that are recorded, the future included."""
        rows = self.log("health")
        edge = rows["edge"].astype(np.int64)
        slots = self.reach.shape[1]
        subject = rows["peer"].astype(np.int64)
        return Transitions(rows["tick"], edge // slots, subject, rows["after"])

    # ------------------------------------------------------------------ nodes

    @cached_property
    def reach(self) -> NDArray[np.int32]:
        """Peers that each node tracks, -1 for an empty slot, shape (N, R)."""
        reach: NDArray[np.int32] = self.sim.flock.peer
        return reach

    @property
    def observer(self) -> int | None:
        """The node whose belief is shown, or None."""
        chosen = self.choice.selected
        return chosen[0] if chosen and self.choice.viewpoint is Viewpoint.NODE else None

    @cached_property
    def positions(self) -> NDArray[np.float32]:
        """Places on the plane, shape (N, 2)."""
        return np.ascontiguousarray(self.sim.flock.positions[:, :2], dtype=np.float32)

    @cached_property
    def truth(self) -> NDArray[np.uint8]:
        """`NodeStatus` of each node, shape (N,)."""
        truth: NDArray[np.uint8] = np.asarray(self.sim.flock.truth, dtype=np.uint8)
        return truth

    @cached_property
    def really_up(self) -> NDArray[np.bool_]:
        """Members that run, be it slowly, shape (N,)."""
        return self.truth <= NodeStatus.SLOW

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Members of the flock, shape (N,)."""
        return self.truth != NodeStatus.ABSENT

    @cached_property
    def belief(self) -> NDArray[np.uint8]:
        """`Health` of each node from the chosen viewpoint, or `NOT_SEEN`, shape (N,)."""
        flock = self.sim.flock
        if self.observer is not None:
            belief = np.asarray(flock.belief(self.observer), dtype=np.uint8).copy()
            belief[self.observer] = Health.ALIVE
        elif self.choice.viewpoint is Viewpoint.TRUTH:
            belief = np.where(self.really_up, Health.ALIVE, Health.DEAD).astype(np.uint8)
        else:
            belief = np.asarray(flock.majority_belief(), dtype=np.uint8).copy()
        return belief

    @cached_property
    def field(self) -> NDArray[np.float32]:
        """The chosen component as a neighbour would sample it now, NaN where too old, (N,)."""
        flock = self.sim.flock
        values, readable = decayed(flock.region, flock.now, flock.profile)
        shares = values[self.choice.component] / 65536.0
        return np.where(readable, shares, np.nan).astype(np.float32)

    @cached_property
    def elected(self) -> NDArray[np.int32]:
        """Elected neighbours of each node, -1 where there is none, shape (N, k)."""
        elected: NDArray[np.int32] = np.asarray(self.sim.flock.elected_peers(), dtype=np.int32)
        return elected

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many elected neighbours each node holds ALIVE, and how many it has, (N,) each."""
        flock, elected = self.sim.flock, self.elected
        there = elected >= 0
        hit = flock.peer[:, None, :] == elected[:, :, None]
        slot = hit.argmax(axis=2)
        health = np.take_along_axis(np.asarray(flock.heartbeat.health), slot, axis=1)
        alive = (health == Health.ALIVE) & there
        return alive.sum(axis=1), there.sum(axis=1)

    def silence(self, observer: int) -> dict[int, int]:
        """Return microseconds since each peer was heard; those never heard are left out."""
        flock = self.sim.flock
        silent = np.asarray(flock.silence(observer))
        heard = np.flatnonzero(silent >= 0)
        return dict(zip(heard.tolist(), silent[heard].tolist(), strict=True))

    @cached_property
    def sides(self) -> NDArray[np.int64]:
        """Number of the side on which each node is cut off, 0 for all without a cut, (N,)."""
        return np.asarray(self.sim.flock.sides(), dtype=np.int64)

    # ------------------------------------------------------------------ faults and verdicts

    @cached_property
    def holding(self) -> tuple[Span, ...]:
        """Faults that hold now."""
        return tuple(self.sim.script.holding(self.tick))

    @cached_property
    def cuts(self) -> tuple[Span, ...]:
        """Partitions and cuts that hold now."""
        return tuple(span for span in self.holding if isinstance(span.fault, Partition | Cut))

    @cached_property
    def fault_times(self) -> NDArray[np.float64]:
        """Seconds at which something of the script begins, each once."""
        starts = {span.start for span in self.sim.script.spans if span.start > 1}
        return np.array(sorted(starts), dtype=np.float64) * self.seconds

    def passes(self, near: NDArray[np.intp], far: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which links carry traffic in both directions, shape of `near`."""
        network = self.sim.network
        passing: NDArray[np.bool_] = network.open(near, far) & network.open(far, near)
        return passing

    def crossed(self) -> tuple[int, int]:
        """Return how many copies the cuts that hold let pass and dropped."""
        ordinals = sorted({span.ordinal for span in self.cuts})
        network = self.sim.network
        return int(network.passed[ordinals].sum()), int(network.touched[ordinals].sum())

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on every invariant of the layer."""
        return tuple(self.sim.verdicts(self.layer))

    def events(self, since: int = 0) -> list[Event]:
        """Return what happened from tick `since` on, oldest first."""
        events: list[Event] = self.sim.events(since)
        return events
