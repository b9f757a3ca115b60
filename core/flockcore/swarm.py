"""Random flocks under random faults: does what must never happen never happen?

Each seed draws a run (`flockcore.drawing`). While faults strike, every invariant that faults must
not break is looked at; once all is healed, the flock has to recover, and stay so. What fails can be
opened again: an outcome carries the token of the run at the tick of its failure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.drawing import Plan, draw
from flockcore.errors import FlockError
from flockcore.flock.codes import Health, Result
from flockcore.kernel.layer import Status
from flockcore.simulation import Simulation

__all__ = ["Failure", "Outcome", "trial", "unrecovered"]

MAY_BREAK = frozenset(
    {
        "No false DEAD",
        "Inboxes drain",
        "Views converge",
        "Replicas agree",
        "No curl is left",
        "Ready means up",
    }
)
"""Invariants that faults break by their nature; they must hold again once the flock recovered."""
GRACE_PERIODS = 4
"""Heartbeat periods within which one tick has to find the healed flock recovered."""
WINDOW = 5
"""Ticks between two looks at the invariants; a failure is then narrowed down to its tick."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong first.

    Attributes:
        phase: "safety" or "liveness".
        invariant: Name of the invariant, or what has not recovered.
        tick: First tick at which it did not hold.
        reason: One line.
    """

    phase: str
    invariant: str
    tick: int
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Attributes:
        plan: The run.
        failure: What went wrong first; None when all held.
        token: Reopens the run at the tick of its failure; else empty.
    """

    plan: Plan
    failure: Failure | None = None
    token: str = ""

    def report(self, version: str) -> str:
        """Return the failure in a few lines, with all that is needed to see it again."""
        if self.failure is None:
            return f"seed {self.plan.seed}: all held"
        failure = self.failure
        drawn = ", ".join(f"{key} {value}" for key, value in _flat(self.plan.parameters))
        return "\n".join(
            [
                f"seed {self.plan.seed}: {failure.invariant} violated at tick {failure.tick} "
                f"({failure.phase} phase): {failure.reason}",
                f"  version  {version}",
                f"  drawn    {drawn}",
                f"  phases   faults up to tick {self.plan.safety}, healed from tick "
                f"{self.plan.safety + 1}, recovered by tick {self.plan.scenario.ticks}",
                f"  reopen   {self.token}",
            ]
        )


def trial(seed: int) -> Outcome:
    """Run one seed.

    Raises:
        FlockError: The seed is negative.
    """
    plan = draw(seed)
    simulation = Simulation(plan.scenario, digests=False)
    failure = _safety(simulation, plan.scenario.ticks, plan.safety)
    if failure is None:
        failure = _liveness(simulation)
    if failure is not None:
        simulation.seek(failure.tick)
        return Outcome(plan, failure, _token(simulation))
    return Outcome(plan)


def _safety(simulation: Simulation, ticks: int, safety: int) -> Failure | None:
    while simulation.tick < ticks:
        before = simulation.tick
        simulation.run(min(WINDOW, ticks - before))
        if _violated(simulation) is None:
            continue
        simulation.seek(before)
        while (found := _violated(simulation)) is None:
            simulation.run(1)
        phase = "safety" if simulation.tick <= safety else "liveness"
        return Failure(phase, found[0], simulation.tick, found[1])
    return None


def _liveness(simulation: Simulation) -> Failure | None:
    """Ask for one recovered tick: a round of announcements may delay heartbeats for a moment."""
    for _ in range(GRACE_PERIODS * simulation.scenario.period_ticks):
        if unrecovered(simulation) is None:
            return None
        simulation.run(1)
    waiting = unrecovered(simulation)
    return waiting and Failure("liveness", waiting[0], simulation.tick, waiting[1])


def _violated(simulation: Simulation) -> tuple[str, str] | None:
    for verdict in simulation.verdicts():
        if verdict.status is Status.VIOLATED and verdict.name not in MAY_BREAK:
            return verdict.name, verdict.reason
    return None


def unrecovered(simulation: Simulation) -> tuple[str, str] | None:
    """Return what a healed flock still lacks, as name and reason; None when it has recovered.

    Every member runs; each holds everybody in its reach ALIVE; each elects its k nearest; no ballot
    is open; every replica has every entry; every host that is imaged was heard; no invariant is
    violated.
    """
    flock, world = simulation.flock, simulation.world
    if not world.up.all():
        return "everybody runs", f"node {np.flatnonzero(~world.up)[0]} does not"
    there = flock.peer >= 0
    doubted = np.argwhere(there & (flock.heartbeat.health != Health.ALIVE))
    if len(doubted):
        node, slot = doubted[0]
        held = Health(int(flock.heartbeat.health[node, slot])).name
        return "everybody is alive to all", f"node {node} holds {flock.peer[node, slot]} {held}"
    elected = flock.elected_peers()
    nearest = _nearest(simulation)[:, : elected.shape[1]]
    wrong = np.flatnonzero((elected != nearest).any(axis=1))
    if len(wrong):
        node = wrong[0]
        return "the nearest are elected", f"node {node} has {_peers(elected[node])}"
    table = flock.state.consensus.table
    waiting = np.argwhere((table.proposer > 0) & (table.result == Result.PENDING))
    if len(waiting):
        node, place = waiting[0]
        proposer = int(flock.row_of[table.proposer[node, place]])
        reason = f"node {node} waits for ballot {table.ballot[node, place]} of node {proposer}"
        return "no ballot is open", reason
    flows = simulation.hodge.columns()
    if flows["flow_behind"]:
        reason = f"{flows['flow_replicas']} versions, {flows['flow_behind']} nodes lack some"
        return "replicas agree", reason
    if simulation.barrier.held:
        return "reports are heard", f"{simulation.barrier.held} hosts are done and were never heard"
    # Curl is what writers disagree about: it stays until somebody reconciles. A host that said
    # READY, crashed, and broke when it was imaged anew stays broken.
    lasting = {"No curl is left", "Ready means up"}
    verdicts = [one for one in simulation.verdicts() if one.name not in lasting]
    broken = [one for one in verdicts if one.status is Status.VIOLATED]
    return (broken[0].name, broken[0].reason) if broken else None


def _nearest(simulation: Simulation) -> NDArray[np.int32]:
    """The k nearest in each node's reach, -1 for none: what everybody alive leads to."""
    topology = simulation.flock.topology
    key = topology.distance << 32 | topology.peer
    key[topology.peer < 0] = np.iinfo(np.int64).max
    order = np.argsort(key, axis=1)[:, : topology.k]
    nearest = np.take_along_axis(topology.peer, order, axis=1)
    missing = max(0, simulation.flock.elected_peers().shape[1] - nearest.shape[1])
    return np.pad(nearest, ((0, 0), (0, missing)), constant_values=-1)


def _peers(row: NDArray[np.int32]) -> str:
    return ", ".join(map(str, row[row >= 0])) or "nobody"


def _flat(table: dict[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _token(simulation: Simulation) -> str:
    try:
        return simulation.token()
    except FlockError:
        # Too many words for a token; the seed alone draws the same run.
        return (
            f"(too long for a token: flockpit swarm --first {simulation.scenario.seed} --seeds 1)"
        )
