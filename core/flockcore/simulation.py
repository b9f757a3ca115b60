"""A scenario in motion: run, break, rewind, fork, compare.

    sim = Simulation(Scenario.load("split-brain"))
    sim.run(500)
    sim.inject(Partition(groups=(range(20),)))
    sim.seek(120)
    other = sim.fork(seed=7)

State is a pure function of (scenario, seed schedule, fault script, tick). Everything else is
bookkeeping: checkpoints to get back quickly, records to draw, and branches to keep what an
injection in the past would have overwritten.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flockcore.barrier.layer import BarrierLayer
from flockcore.errors import FlockError
from flockcore.flock.layer import Flock
from flockcore.hodge.layer import Hodge
from flockcore.kernel.clock import Clock
from flockcore.kernel.digest import digest
from flockcore.kernel.faults import Delay, Duplicate, Fault, Loss, Mend, Reorder, validate
from flockcore.kernel.history import History
from flockcore.kernel.layer import Event, Layer, Verdict
from flockcore.kernel.network import Network
from flockcore.kernel.records import Records
from flockcore.kernel.rng import Streams
from flockcore.kernel.script import Script
from flockcore.kernel.state import Captured, capture, restore
from flockcore.kernel.world import World
from flockcore.layout import positions
from flockcore.scenario import Scenario
from flockcore.token import TokenContent, encode

__all__ = ["Branch", "Simulation"]

type Schedule = tuple[tuple[int, int], ...]

HISTORY_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an injection replaced, so that it can be taken back.

    Attributes:
        tick: where it was made.
        script: the script before it.
        schedule: the seeds before it.
        name: the branch that holds the future it cut off; None when there was none.
    """

    tick: int
    script: Script
    schedule: Schedule
    name: str | None


@dataclass(slots=True)
class Branch:
    """One line of time: what was done in it, and what it left.

    Attributes:
        name: "main", or "branch 1", "branch 2", ... in order of their making.
        script: faults and commands, the scenario's first.
        schedule: seeds by tick.
        history: checkpoints.
        records: statistics, logs and digests.
        tick: where its playhead stood when it was left.
        undo: injections of this line that can be taken back, the last one last.
    """

    name: str
    script: Script
    schedule: Schedule
    history: History
    records: Records
    tick: int = 0
    undo: tuple[_Taken, ...] = ()

    def copy(self, name: str) -> "Branch":
        """Return an independent branch with the same past and future."""
        return replace(self, name=name, history=self.history.fork(), records=self.records.copy())

    def cut(self, tick: int, scripted: int) -> None:
        """Forget what was recorded, reseeded or injected beyond `tick`.

        The first `scripted` records of the script stay: they are the scenario's own future.
        """
        kept = [
            fault
            for place, fault in enumerate(self.script.faults)
            if place < scripted or (fault.start or 1) <= tick + 1
        ]
        # What was injected or reseeded at this very tick begins at the next one: it stays too.
        self.script = Script(kept)
        self.schedule = tuple(entry for entry in self.schedule if entry[0] <= tick + 1)
        self.history.cut(tick)
        self.records.cut(tick)


class Simulation:
    """A run of a scenario.

    Args:
        scenario: what to run.
        seed: overrides the scenario's seed.
        history_bytes: bytes that checkpoints may hold.
        digests: keep a trail of digests, for share tokens; costs a digest every few ticks.

    Attributes:
        scenario: the scenario, as given.
        tick: ticks done; 0 before the first.
        flock: the flock layer.
        hodge: the layer of edge flows.
        barrier: the layer of provisioning.
        world: what is really true of the nodes.
        network: the faults that act on messages.
        branches: futures that were kept, by name.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        history_bytes: int = HISTORY_BYTES,
        digests: bool = True,
    ) -> None:
        self.scenario = scenario
        self.tick = 0
        self.branches: dict[str, Branch] = {}
        self._digests = digests
        self._made = 0
        schedule = ((0, scenario.seed if seed is None else seed),)
        script = Script((*_base_faults(scenario), *map(_dated, scenario.faults)))
        self._scripted = len(script)
        self._build(schedule)
        names = [name for layer in self.layers for name in layer.columns()]
        logs = {name: dtypes for layer in self.layers for name, dtypes in layer.logs().items()}
        self._branch = Branch(
            "main", script, schedule, History(budget_bytes=history_bytes), Records(names, logs)
        )
        self._enter(self._branch)
        self._after_tick()

    def _build(self, schedule: Schedule) -> None:
        scenario = self.scenario
        self.streams = Streams(schedule)
        self.clock = Clock(scenario.tick_us, scenario.flock.start_us)
        self.world = World.at(_places(scenario, self.streams))
        self.world.absent[list(scenario.absent)] = True
        self.network = Network(nodes=scenario.nodes, streams=self.streams, tick_us=scenario.tick_us)
        self.flock = Flock.of(scenario, world=self.world, network=self.network, clock=self.clock)
        self.hodge = Hodge(
            world=self.world,
            network=self.network,
            clock=self.clock,
            flock=self.flock,
            options=scenario.curl,
        )
        self.barrier = BarrierLayer(world=self.world, network=self.network, clock=self.clock)
        self.layers: tuple[Layer, ...] = (self.flock, self.hodge, self.barrier)
        for layer in self.layers:
            layer.start()

    # ------------------------------------------------------------------ running

    @property
    def now_us(self) -> int:
        """Simulated time since tick 0, in microseconds."""
        return self.tick * self.scenario.tick_us

    @property
    def recorded_until(self) -> int:
        """Last tick that this branch has been run to; beyond the playhead after seeking back."""
        return self.records.series.recorded_until

    def run(self, ticks: int) -> None:
        """Run `ticks` ticks on.

        Raises:
            FlockError: `ticks` is negative.
        """
        if ticks < 0:
            raise FlockError(f"run {ticks} ticks; allowed is 0 or more (seek goes back)")
        for _ in range(ticks):
            self._advance()

    def run_to(self, tick: int) -> None:
        """Run on to `tick`, which must not lie in the past."""
        self.run(tick - self.tick)

    def seek(self, tick: int) -> None:
        """Go to `tick`, back or forth, along this branch.

        Raises:
            FlockError: `tick` is negative.
        """
        if tick < 0:
            raise FlockError(f"seek to tick {tick}; allowed is 0 or later")
        nearest = self._branch.history.checkpoint(tick)
        if tick < self.tick or nearest.tick > self.tick:
            self._restore(nearest.tick, nearest.captured())
        self.run(tick - self.tick)
        self.records.series.playhead = self.tick

    def step(self, ticks: int = 1) -> None:
        """Go `ticks` ticks on, or back if negative, but not before the first."""
        self.seek(max(self.tick + ticks, 0))

    def _advance(self) -> None:
        began = time.perf_counter()
        tick = self.tick + 1
        script = self.script
        if script.begins(tick) or script.ends(tick):
            self.network.hold(script.links(tick), len(script))
        for layer in self.layers:
            layer.apply(script, tick)
        for layer in self.layers:
            layer.tick(tick)
        self.tick = tick
        self._branch.history.observe(time.perf_counter() - began)
        self._after_tick()

    def _after_tick(self) -> None:
        row: dict[str, int] = {}
        for layer in self.layers:
            row.update(layer.columns())
        self.records.series.record(self.tick, row)
        self.records.close(self.tick)
        self._branch.history.offer(self.tick, self.capture)
        if self._digests:
            self.records.trail.record(self.tick, self._digest)

    # ------------------------------------------------------------------ state

    def capture(self) -> Captured:
        """Return the whole state as arrays by dotted name."""
        captured = self._exact()
        for layer in self.layers:
            if not layer.exact:
                captured |= {f"{layer.name}.{name}": a for name, a in layer.capture().items()}
        captured["network.passed"] = self.network.passed.copy()
        captured["network.touched"] = self.network.touched.copy()
        return captured

    def _exact(self) -> Captured:
        captured = {f"world.{name}": array for name, array in capture(self.world).items()}
        for layer in self.layers:
            if layer.exact:
                captured |= {f"{layer.name}.{name}": a for name, a in layer.capture().items()}
        return captured

    def _restore(self, tick: int, captured: Mapping[str, Any]) -> None:
        restore(self.world, _below(captured, "world"))
        for layer in self.layers:
            layer.restore(_below(captured, layer.name))
        self.network.passed = captured["network.passed"].copy()
        self.network.touched = captured["network.touched"].copy()
        self.tick = tick
        self._resume()

    def _resume(self) -> None:
        """Let what the script says of the present tick hold."""
        self.network.hold(self.script.links(self.tick), len(self.script))
        for layer in self.layers:
            layer.resume(self.script, self.tick)

    def _digest(self) -> bytes:
        return digest({**self._exact(), "tick": np.asarray(self.tick, dtype=np.int64)})

    def digest(self) -> str:
        """Return the SHA-256 of the exact layers' state at this tick, in hexadecimal."""
        return self._digest().hex()

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of the world and of each exact layer that has a state, by name."""
        parts = {"world": capture(self.world)}
        parts |= {layer.name: layer.capture() for layer in self.layers if layer.exact}
        return {name: digest(part).hex() for name, part in parts.items() if part}

    # ------------------------------------------------------------------ faults and branches

    @property
    def script(self) -> Script:
        """Faults and commands of this branch: the network's base, the scenario's, the injected."""
        return self._branch.script

    @property
    def injected(self) -> tuple[Fault, ...]:
        """What was injected by hand in this branch, in order."""
        return self.script.faults[self._scripted :]

    @property
    def schedule(self) -> Schedule:
        """Seeds of this branch by the tick from which they hold."""
        return self._branch.schedule

    @property
    def records(self) -> Records:
        """Statistics, logs and digests of this branch."""
        return self._branch.records

    @property
    def series(self) -> Any:  # noqa: ANN401 - see `Records.series`
        """Per-tick statistics of this branch."""
        return self._branch.records.series

    @property
    def branch(self) -> str:
        """Name of the present branch."""
        return self._branch.name

    def inject(self, fault: Fault) -> Fault:
        """Let a fault or command begin at the next tick.

        In the past, the present branch ends here and its future is kept in `branches`.

        Args:
            fault: the record; its `start` is set to the next tick.

        Returns:
            The record as it stands in the script.

        Raises:
            FlockError: the record does not fit this flock; nothing has changed then.
        """
        start = self.tick + 1
        length = 0 if fault.until is None else max(fault.until - (fault.start or start), 1)
        dated = replace(fault, start=start, until=start + length if length else None)
        validate(dated, self.scenario.nodes)
        for layer in self.layers:
            layer.check(dated)
        name = self._keep_future() if self.recorded_until > self.tick else None
        taken = _Taken(self.tick, self.script, self.schedule, name)
        self._branch.undo = (*self._branch.undo, taken)
        self._branch.cut(self.tick, self._scripted)
        self._branch.script = self.script.plus(dated)
        # A change of seed that lay beyond went with the future.
        self.streams.schedule = self.schedule
        self.network.hold(self.script.links(self.tick), len(self.script))
        return dated

    def _keep_future(self) -> str:
        self._made += 1
        name = f"branch {self._made}"
        self.branches[name] = self._branch.copy(name)
        self.branches[name].tick = self.tick
        return name

    @property
    def can_undo(self) -> bool:
        """Whether there is an injection of this branch to take back."""
        return bool(self._branch.undo)

    def undo(self) -> None:
        """Take this branch's last injection back: return to the tick and the future before it.

        Raises:
            FlockError: nothing was injected.
        """
        if not self._branch.undo:
            raise FlockError("nothing to undo: nothing was injected since the start")
        *earlier, taken = self._branch.undo
        kept = self.branches.get(taken.name) if taken.name else None
        # Who went over to the kept branch and changed it there wants to keep that, too.
        if kept is not None and kept.script is taken.script:
            del self.branches[kept.name]
            kept.name = self._branch.name
            self._enter(kept)
        else:
            self._branch.cut(taken.tick, self._scripted)
            self._branch.script, self._branch.undo = taken.script, tuple(earlier)
            self._branch.schedule = self.streams.schedule = taken.schedule
        self._restore(*self._branch.history.nearest(taken.tick))
        self.seek(taken.tick)

    def switch(self, name: str) -> None:
        """Go to a kept branch, at the tick where it was left; the present one is kept instead.

        Raises:
            FlockError: there is no such branch.
        """
        if name not in self.branches:
            known = ", ".join(self.branches) or "none"
            raise FlockError(f"branch {name!r} is unknown; there are: {known}")
        branch = self.branches.pop(name)
        self._branch.tick = self.tick
        self.branches[self._branch.name] = self._branch
        self._enter(branch)
        self._restore(*branch.history.nearest(branch.tick))
        self.seek(branch.tick)

    def fork(self, seed: int | None = None) -> "Simulation":
        """Return a simulation with the same past that goes its own way from the next tick.

        Args:
            seed: seed of the draws from the next tick on; None keeps the present one, so that the
                fork differs only by what is injected into it.
        """
        other = Simulation.__new__(Simulation)
        other.__dict__.update(self.__dict__)
        other.branches, other._made = {}, 0
        branch = self._branch.copy("main")
        branch.undo = ()
        branch.cut(self.tick, self._scripted)
        if seed is not None:
            earlier = (entry for entry in branch.schedule if entry[0] <= self.tick)
            branch.schedule = (*earlier, (self.tick + 1, seed))
        other._build(branch.schedule)
        other._enter(branch)
        other._restore(self.tick, self.capture())
        return other

    def _enter(self, branch: Branch) -> None:
        self._branch = branch
        self.streams.schedule = branch.schedule
        for layer in self.layers:
            layer.records = branch.records
        self._resume()

    # ------------------------------------------------------------------ reading

    def token(self) -> str:
        """Return the share token of this run up to this tick (see `flockcore.token`).

        Raises:
            FlockError: the run does not fit into a token.
        """
        taken = self.records.trail.digests.items()
        return encode(
            TokenContent(
                scenario=self.scenario,
                schedule=self.schedule,
                injected=tuple(one for one in self.injected if (one.start or 1) <= self.tick + 1),
                tick=self.tick,
                digest=self.digest(),
                samples=tuple((tick, part) for tick, part in taken if tick <= self.tick),
            )
        )

    def statistics(self) -> dict[str, Any]:
        """Return each layer's statistics by its name."""
        return {layer.name: layer.statistics() for layer in self.layers}

    def verdicts(self, name: str | None = None) -> list[Verdict]:
        """Return the verdict on every invariant of every layer, or of the layer of that name."""
        layers = [layer for layer in self.layers if name in (None, layer.name)]
        return [verdict for layer in layers for verdict in layer.invariants()]

    def events(self, since: int = 0) -> list[Event]:
        """Return what happened from tick `since` on, oldest first."""
        found = [event for layer in self.layers for event in layer.events(since)]
        return sorted(found, key=lambda event: event.tick)


def _below(captured: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): value for key, value in captured.items() if key.startswith(prefix)
    }


def _dated(fault: Fault) -> Fault:
    return fault if fault.start is not None else replace(fault, start=1)


def _base_faults(scenario: Scenario) -> tuple[Fault, ...]:
    """The scenario's settings as records from the first tick on: they end and clear like others."""
    network = scenario.network
    base: list[Fault] = []
    if network.loss:
        base.append(Loss(start=1, probability=network.loss))
    if network.duplicate:
        base.append(Duplicate(start=1, probability=network.duplicate))
    if network.delay_min_us or network.delay_mean_us:
        least, mean = network.delay_min_us, network.delay_mean_us
        base.append(Delay(start=1, min_us=least, mean_us=mean))
    if network.reorder:
        by = network.reorder_by_us
        base.append(Reorder(start=1, probability=network.reorder, by_us=by))
    if scenario.curl.reconcile == "automatic":
        base.append(Mend(start=1, quiet_us=scenario.curl.quiet_us))
    return tuple(base)


def _places(scenario: Scenario, streams: Streams) -> np.ndarray[Any, np.dtype[np.int64]]:
    if scenario.positions:
        plane = np.array(scenario.positions, dtype=np.int64)
    else:
        words = streams.raw("layout", 0, 2 * scenario.nodes)
        plane = positions(scenario.layout, scenario.nodes, scenario.arena, words)
    flat = np.zeros((scenario.nodes, 3), dtype=np.int64)
    flat[:, :2] = plane
    return flat
