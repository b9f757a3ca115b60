"""The barrier layer: every node is a host that is imaged, and one node counts what they report.

A controller starts the provisioning of all hosts and waits at a barrier. It knows only what their
reports say, and these travel over the lossy network: a host repeats its report until the controller
acknowledges it. A report is about the past. A host that crashes after it has said READY leaves the
controller with a word that is no longer true, and a gate that opens on such words opens falsely.

What is true of a host: it images for a time drawn for it, in the ticks in which it runs, and is
READY then; or its imaging fails, as drawn, or because it crashes while it is imaged. FAILED is for
good, and it is the host's management board that reports it: a board outlives the crash. A host that
restarts after it was READY is imaged anew. The controller keeps its counts on disk: while its own
node is down it hears nothing, and then goes on where it stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.reading import Reading
from flockcore.barrier.reports import (
    LOGS,
    BarrierStatistics,
    Said,
    count_statistics,
    describe_events,
    verdicts,
)
from flockcore.barrier.state import BarrierState, Stage, pack_policy
from flockcore.errors import FlockError
from flockcore.flock.codes import NodeStatus
from flockcore.kernel.faults import Fault, Provision, Require
from flockcore.kernel.layer import Event, Layer, Verdict
from flockcore.kernel.mail import Traffic
from flockcore.kernel.records import Records
from flockcore.kernel.script import Script
from flockcore.kernel.state import Captured, capture, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from flockcore.barrier.arrays import Indices, Mask
    from flockcore.kernel.clock import Clock
    from flockcore.kernel.network import Network
    from flockcore.kernel.world import World

__all__ = ["BarrierLayer"]

_COLUMNS = (
    "barrier_ready",
    "barrier_failed",
    "barrier_prov",
    "barrier_truly",
    "barrier_false",
    "barrier_window",
    "barrier_held",
    "barrier_reports",
    "barrier_repeats",
    "barrier_sent",
    "barrier_lost",
)
_OFF = dict.fromkeys(_COLUMNS, 0)
_LEAST_INBOX = 256


class BarrierLayer(Reading, Layer):
    """Provisioning of all nodes, with a readiness gate.

    Args:
        world: what is really true of the nodes.
        network: the faults that act on messages.
        clock: from ticks to microseconds.

    Attributes:
        state: all that changes; None while nothing was provisioned.
        traffic: letters counted in this tick.
        records: where statistics and events are written.
        script: the script under which the run goes on.
        present_tick: the tick that was done last.
    """

    name = "barrier"
    exact = True

    def __init__(self, *, world: World, network: Network, clock: Clock) -> None:
        self.world, self.network, self.clock = world, network, clock
        self.records = Records((), LOGS)
        self.script = Script()
        self.traffic = Traffic()
        self.present_tick = 0
        self.state: BarrierState | None = None
        self._disturbed = self._busy = True
        self._read = self._repeats = 0
        self._row: dict[str, int] | None = None

    @property
    def in_use(self) -> bool:
        """Whether a provisioning has begun."""
        return self.on

    # ------------------------------------------------------------------ life cycle

    def start(self) -> None:
        """Nothing is provisioned."""

    def check(self, fault: Fault) -> None:
        """Refuse a provisioning without a controller, and a policy that comes too late."""
        if isinstance(fault, Provision) and not self.world.up[fault.seat]:
            raise FlockError(
                f"node {fault.seat} is not running; allowed as the seat of the controller are "
                "nodes that are up"
            )
        if isinstance(fault, Require):
            if not self.on:
                raise FlockError("require: nothing is provisioned; provision the nodes first")
            if self.phase.is_final:
                raise FlockError(
                    f"require: the gate has decided {self.phase.name} at tick {self.decided_tick}; "
                    "allowed is another policy before that"
                )

    def apply(self, script: Script, tick: int) -> None:
        """Begin provisionings and change policies that are due."""
        self.present_tick, self.script = tick, script
        begins = script.begins(tick)
        if begins or script.ends(tick):
            self._disturbed = True
            for span in begins:
                match span.fault:
                    case Provision():
                        self._provision(span.fault, tick)
                    case Require():
                        self._require(span.fault, tick)

    def resume(self, script: Script, tick: int) -> None:
        """Go on at `tick` under `script`, after the run was taken elsewhere."""
        self.present_tick, self.script = tick, script
        self._disturbed = self._busy = True
        self._row = None

    def _provision(self, record: Provision, tick: int) -> None:
        world = self.world
        state = BarrierState.begun(
            record, world=world, network=self.network, tick=tick, tick_us=self.clock.tick_us
        )
        self.state = state
        self._log(tick, [-1], Said.FANNED_OUT, state.seat)
        self._log(tick, [-1], Said.POLICY, state.asked_for)
        down = np.flatnonzero(~world.up)
        self._log(tick, down, Said.WENT_DOWN, self._status(down))
        here = ~world.absent
        self._break(np.flatnonzero(here & world.crashed), tick)
        rows = np.flatnonzero(here & ~world.crashed)
        state.begin_imaging(rows, self.network.streams, tick, self.clock.tick_us)
        fields = ("phase", "ready", "failed", "prov")
        for phase in (Phase.IMAGING, Phase.BARRIER):
            point = dict(zip(fields, (phase, 0, 0, world.nodes), strict=True))
            self.records.logs["barrier_trace"].append(tick, 1, **point)
        told = self.forecast(state)
        state.foretold[:] = told.ends_in, told.ready, told.failed, told.report
        self._row = None

    def _require(self, record: Require, tick: int) -> None:
        state = self.state
        if state is None or self.phase.is_final:
            return
        state.asked_for, state.asking = pack_policy(record), True
        state.changed_after = int(state.gate.ready[0] + state.gate.failed[0])
        state.adopt()
        self._log(tick, [-1], Said.POLICY, state.asked_for)
        self._row = None

    # ------------------------------------------------------------------ the tick

    def tick(self, tick: int) -> None:
        """Read letters, ask the gate, image, report, acknowledge."""
        state = self.state
        if state is None:
            return
        self.traffic = Traffic()
        self._read = self._repeats = 0
        if self._disturbed:
            self._disturbed, self._busy = False, True
            self._follow(state, tick)
        if not self._busy:
            return
        ticking = self.world.ticking(tick)
        if ticking[state.seat]:
            self._listen(state, tick)
        # The board of a broken host has power whether the host runs or not.
        boards = (state.stage == Stage.BROKEN) & ~self.world.absent
        active = ticking | boards
        self._hear_receipts(state, active)
        self._image(state, ticking, tick)
        self._report(state, active, tick)
        reachable = self.world.reachable
        limit = max(_LEAST_INBOX, 4 * self.world.nodes)
        state.reports.deliver(tick, reachable, limit, self.traffic)
        state.receipts.deliver(tick, reachable | boards, limit, self.traffic)
        self._busy = bool(
            state.asking
            or state.reports
            or state.receipts
            or state.owing.any()
            or (state.stage == Stage.IMAGING).any()
        )

    def _follow(self, state: BarrierState, tick: int) -> None:
        """Let crashes, restarts, pauses, leaves and joins have their effect."""
        world = self.world
        up, renewed = world.up, world.incarnation != state.incarnation
        away = world.absent & (state.stage == Stage.IMAGING)
        imaging = (state.stage == Stage.IMAGING) & ~world.absent
        broken = imaging & (world.crashed | renewed)
        fresh = renewed & ~world.crashed & ~world.absent
        anew = fresh & ((state.stage == Stage.IMAGED) | (state.stage == Stage.AWAY))
        down = np.flatnonzero(state.up & (~up | renewed))
        back = np.flatnonzero(up & (~state.up | renewed))
        self._log(tick, down, Said.WENT_DOWN, self._status(down))
        self._break(np.flatnonzero(broken), tick)
        self._log(tick, back, Said.CAME_UP, anew[back])
        state.stage[away] = Stage.AWAY
        state.begin_imaging(np.flatnonzero(anew), self.network.streams, tick, self.clock.tick_us)
        silenced = ~world.reachable | renewed
        state.receipts.read(silenced & (state.stage != Stage.BROKEN))
        if silenced[state.seat]:
            state.reports.read(np.ones(world.nodes, dtype=np.bool_))
        state.up, state.incarnation = up, world.incarnation.copy()
        self._row = None

    def _break(self, rows: Indices, tick: int) -> None:
        if len(rows):
            assert self.state is not None
            self.state.end_imaging(rows, np.ones(len(rows), dtype=np.bool_), tick)
            self._log(tick, rows, Said.BROKE, 1)

    def _listen(self, state: BarrierState, tick: int) -> None:
        """Let the controller read its reports, ask the gate, and acknowledge them."""
        hosts, words = state.reports.read(np.ones(self.world.nodes, dtype=np.bool_))
        if not (len(hosts) or state.asking):
            return
        self._row = None
        first = np.zeros(len(hosts), dtype=np.bool_)
        first[np.unique(hosts, return_index=True)[1]] = True
        new = first & ~state.heard[hosts]
        self._read, self._repeats = len(hosts), int(np.count_nonzero(~new))
        state.received += self._read
        state.repeated += self._repeats
        state.heard[hosts] = True
        if not self.phase.is_final:
            self._ask(state, hosts, words, tick)
        state.asking = False
        # One receipt for each thing said, however often.
        said = np.unique(hosts * len(Host) + words)
        state.receipts.send(said // len(Host), said % len(Host), tick, self.traffic)

    def _ask(
        self, state: BarrierState, hosts: NDArray[np.int64], words: NDArray[np.int64], tick: int
    ) -> None:
        gate = state.gate
        first = np.sort(np.unique(hosts, return_index=True)[1])
        kept = first[gate.hosts[0, hosts[first]] == Host.PROVISIONING]
        hosts, words = hosts[kept], words[kept]
        ready, failed, prov = int(gate.ready[0]), int(gate.failed[0]), int(gate.prov[0])
        taken = state.barriers.receive(0, hosts, words)
        hosts, words = hosts[:taken], words[:taken]
        number = ready + failed + np.arange(taken)
        state.place[hosts] = number
        good = words == Host.READY
        self._log(tick, hosts, np.where(good, Said.SAID_READY, Said.SAID_FAILED), number)
        self.records.logs["barrier_trace"].append(
            tick,
            taken,
            phase=Phase.BARRIER,
            ready=ready + np.cumsum(good),
            failed=failed + np.cumsum(~good),
            prov=prov - 1 - np.arange(taken),
        )
        if self.phase.is_final:
            state.decided = tick
            proceeds = self.phase is Phase.CONVERGE
            self._log(tick, [-1], Said.DECIDED, Decision.PROCEED if proceeds else Decision.FAIL)
            self.records.logs["barrier_trace"].append(
                tick,
                1,
                phase=self.phase,
                ready=gate.ready[0],
                failed=gate.failed[0],
                prov=gate.prov[0],
            )

    def _hear_receipts(self, state: BarrierState, active: Mask) -> None:
        hosts, words = state.receipts.read(active)
        if not len(hosts):
            return
        # A receipt for what a host said before it was imaged anew settles nothing.
        settled = hosts[words == state.outcome[hosts]]
        state.owing[settled] = False

    def _image(self, state: BarrierState, ticking: Mask, tick: int) -> None:
        running = ticking & (state.stage == Stage.IMAGING)
        state.left -= running
        done = np.flatnonzero(running & (state.left <= 0))
        if not len(done):
            return
        broken = state.fate[done]
        state.end_imaging(done, broken, tick)
        self._log(tick, done, np.where(broken, Said.BROKE, Said.IMAGED), 0)
        self._row = None

    def _report(self, state: BarrierState, active: Mask, tick: int) -> None:
        due = np.flatnonzero(state.owing & active & (state.due <= tick)).astype(np.int64)
        if not len(due):
            return
        state.due[due] = tick + state.resend
        state.sent += len(due)
        state.reports.send(due, state.outcome[due], tick, self.traffic)

    def _log(self, tick: int, hosts: ArrayLike, what: ArrayLike, value: ArrayLike) -> None:
        rows = np.asarray(hosts)
        self.records.logs["barrier"].append(tick, len(rows), host=rows, what=what, value=value)

    def _status(self, rows: Indices) -> NDArray[np.int64]:
        world = self.world
        halted = np.where(world.crashed[rows], NodeStatus.CRASHED, NodeStatus.PAUSED)
        found: NDArray[np.int64] = np.where(world.absent[rows], NodeStatus.ABSENT, halted)
        return found

    # ------------------------------------------------------------------ reports

    def columns(self) -> Mapping[str, int]:
        """Return this tick's statistics."""
        if self.state is None:
            return _OFF
        if self._row is None:
            self._row = self._measure(self.state)
        traffic = self.traffic
        return {
            **self._row,
            "barrier_reports": self._read,
            "barrier_repeats": self._repeats,
            "barrier_sent": traffic.sent,
            "barrier_lost": traffic.lost + traffic.cut + traffic.down + traffic.full,
        }

    def _measure(self, state: BarrierState) -> dict[str, int]:
        return {
            "barrier_ready": int(state.gate.ready[0]),
            "barrier_failed": int(state.gate.failed[0]),
            "barrier_prov": int(state.gate.prov[0]),
            "barrier_truly": self.true_counts[0],
            "barrier_false": int(np.count_nonzero(self.false_ready)),
            "barrier_window": int(self.false_window),
            "barrier_held": self.held,
        }

    def logs(self) -> Mapping[str, dict[str, DTypeLike]]:
        """Return the logs that the layer writes."""
        return LOGS

    def statistics(self) -> BarrierStatistics:
        """Return counters and gauges."""
        return count_statistics(self)

    def invariants(self) -> tuple[Verdict, ...]:
        """Return the verdict on every invariant, as of now."""
        return verdicts(self)

    def events(self, since: int) -> tuple[Event, ...]:
        """Return what happened at tick `since` or later, oldest first."""
        return describe_events(self, since)

    # ------------------------------------------------------------------ capture

    def capture(self) -> Captured:
        """Return the canonical state: nothing while nothing was provisioned."""
        return {} if self.state is None else capture(self.state)

    def restore(self, captured: Captured) -> None:
        """Take a captured state back and rebuild what is derived from it."""
        self._row = None
        if not captured:
            self.state = None
            return
        self.state = BarrierState.begun(
            Provision(), world=self.world, network=self.network, tick=0, tick_us=1
        )
        restore(self.state, captured)
        self.state.adopt()
