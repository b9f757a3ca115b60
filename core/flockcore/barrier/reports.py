"""What the barrier layer tells: logs, statistics, verdicts, events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.invariants import check_original, check_stricter
from flockcore.barrier.state import Stage, policy_of
from flockcore.barrier.traces import Traces
from flockcore.kernel.layer import Event, Status, Verdict

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from flockcore.barrier.layer import BarrierLayer
    from flockcore.barrier.state import BarrierState

__all__ = [
    "LOGS",
    "NAMES",
    "BarrierStatistics",
    "Said",
    "count_statistics",
    "describe_events",
    "verdicts",
]

LOGS: dict[str, dict[str, DTypeLike]] = {
    "barrier": {"host": np.int32, "what": np.uint8, "value": np.int64},
    "barrier_trace": {
        "phase": np.uint8,
        "ready": np.int32,
        "failed": np.int32,
        "prov": np.int32,
    },
}
"""Logs of the layer: what happened to whom, and the points of the trace."""


class Said(IntEnum):
    """What a row of the log "barrier" says; those without a host have host -1.

    FANNED_OUT a provisioning begins, value is the seat (no host). IMAGED a host is READY. BROKE its
    imaging failed, value 1 if by a crash. SAID_READY and SAID_FAILED the controller takes a report,
    value is how many it took before. WENT_DOWN value is its `NodeStatus`. CAME_UP value 1 if it is
    imaged anew. DECIDED value is the `Decision` (no host). POLICY value is the packed policy (no
    host; see `flockcore.barrier.state.policy_of`).
    """

    FANNED_OUT = 0
    IMAGED = 1
    BROKE = 2
    SAID_READY = 3
    SAID_FAILED = 4
    WENT_DOWN = 5
    CAME_UP = 6
    DECIDED = 7
    POLICY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierStatistics:
    """Counters and gauges of the layer.

    Attributes:
        on: whether a provisioning has begun.
        phase: the controller's phase.
        ready: hosts READY in the controller's counts.
        failed: hosts FAILED in them.
        prov: hosts that it waits for.
        truly: hosts READY and up in truth.
        false_ready: hosts that it holds READY and that are not.
        held: hosts that have something to tell and were never heard.
        sent: reports sent, repeats included.
        received: reports that the controller read, repeats included.
        repeated: those of them that said nothing new.
    """

    on: bool
    phase: Phase
    ready: int
    failed: int
    prov: int
    truly: int
    false_ready: int
    held: int
    sent: int
    received: int
    repeated: int


def count_statistics(layer: BarrierLayer) -> BarrierStatistics:
    """Return counters and gauges."""
    row, state = layer.columns(), layer.state
    return BarrierStatistics(
        on=layer.on,
        phase=layer.phase,
        ready=row["barrier_ready"],
        failed=row["barrier_failed"],
        prov=row["barrier_prov"],
        truly=row["barrier_truly"],
        false_ready=row["barrier_false"],
        held=row["barrier_held"],
        sent=state.sent if state else 0,
        received=state.received if state else 0,
        repeated=state.repeated if state else 0,
    )


NAMES = (
    "Counts add up",
    "Ready never falls",
    "Failed never falls",
    "Policy held at CONVERGE",
    "Gate obeys policy",
    "FAILED only when all in",
    "Within budget",
    "Prediction matches",
    "Ready means up",
    "All hosts report",
)
"""Invariants of the layer."""
_LOST_AFTER = 20
"""Repeats of a report after which, on a network without faults, it should have been heard."""


def verdicts(layer: BarrierLayer) -> tuple[Verdict, ...]:
    """Return the verdict on every invariant, re-derived from the trace where it speaks of it."""
    state = layer.state
    if state is None:
        return tuple(Verdict(name, Status.UNKNOWN, "nothing is provisioned") for name in NAMES)
    look = _Look(layer, state)
    if not look.points:
        return tuple(Verdict(name, Status.UNKNOWN, "the log is full") for name in NAMES)
    return (
        look.partition(),
        look.ratchet("Ready never falls", "ready_monotone"),
        look.ratchet("Failed never falls", "failed_monotone"),
        look.safety(),
        look.obedience(),
        look.soundness(),
        look.budget(),
        look.prediction(),
        _ready_means_up(layer),
        _all_report(layer, state),
    )


def _judge(name: str, holds: bool, reason: str) -> Verdict:
    return Verdict(name, Status.HOLDS if holds else Status.VIOLATED, reason)


class _Look:
    """The trace so far, and what the checks that trust no decision say of it."""

    def __init__(self, layer: BarrierLayer, state: BarrierState) -> None:
        self.layer, self.state = layer, state
        self.trace = layer.trace()
        self.points = len(self.trace.phase)
        self.hosts = layer.world.nodes
        self.over = layer.phase.is_final
        none = np.zeros(1, dtype=np.int64)
        self.passed = check_original(
            self.trace,
            hosts=self.hosts,
            policy=layer.policy,
            totals=(none, none),
            early=state.early,
        )
        self.stricter = check_stricter(
            self.trace, hosts=self.hosts, policy=layer.policy, early=state.early
        )

    def partition(self) -> Verdict:
        gate = self.state.gate
        ready, failed, prov = (int(one[0]) for one in (gate.ready, gate.failed, gate.prov))
        heard = np.bincount(gate.hosts[0], minlength=3)
        last = self.trace.ready[-1:], self.trace.failed[-1:], self.trace.prov[-1:]
        same = heard.tolist() == [prov, ready, failed]
        same &= [one.tolist() for one in last] == [[ready], [failed], [prov]]
        reason = f"{ready} + {failed} + {prov} = {self.hosts}"
        return _judge(NAMES[0], bool(self.passed["partition"][0]) and same, reason)

    def ratchet(self, name: str, check: str) -> Verdict:
        return _judge(name, bool(self.passed[check][0]), f"{max(self.points - 1, 0)} steps")

    def safety(self) -> Verdict:
        if not self.over:
            return Verdict(NAMES[3], Status.UNKNOWN, self._waits_for())
        if self.layer.phase is Phase.FAILED:
            return Verdict(NAMES[3], Status.HOLDS, "the gate did not open")
        reason = f"{int(self.trace.ready[-1])} ready, {int(self.trace.failed[-1])} failed"
        return _judge(NAMES[3], bool(self.passed["safety"][0]), reason)

    def obedience(self) -> Verdict:
        name, trace = NAMES[4], self.trace
        word = bool(trace.phase[0] == Phase.IMAGING) and self.points > 1
        word &= bool((trace.phase[1:-1] == Phase.BARRIER).all())
        word &= bool(trace.phase[-1] == self.layer.phase)
        steps = ("fresh_start", "single_steps", "final_repeats")
        fine = word and all(bool(self.stricter[check][0]) for check in steps)
        # The policy that holds now was asked from the last change on.
        since = min(self.state.changed_after + 1, self.points)
        fine &= self._held_back(since)
        if not fine:
            return Verdict(name, Status.VIOLATED, "a forbidden step")
        if self.state.asking:
            return Verdict(name, Status.UNKNOWN, "not asked yet")
        ready, failed = int(trace.ready[-1]), int(trace.failed[-1])
        reason = f"CONVERGE at {ready}" if self.over else f"held at {ready} ready"
        if self.layer.phase is Phase.FAILED:
            reason = f"FAILED at {failed} failed"
        return Verdict(name, Status.HOLDS, reason)

    def _waits_for(self) -> str:
        """Return why nothing can be said of a decision yet."""
        return f"{int(self.trace.prov[-1])} yet to report"

    def _held_back(self, since: int) -> bool:
        """Return whether the gate had reason to hold wherever it did."""
        trace, last = self.trace, self.points
        parts = {name: getattr(trace, name)[since:last] for name in _FIELDS}
        if not (self.over or self.state.asking):
            # The gate was asked at the last point too and held: as if another report followed.
            parts = {name: np.append(part, part[-1:]) for name, part in parts.items()}
        start = np.array([0, len(parts["phase"])], dtype=np.intp)
        found = check_stricter(
            Traces(start=start, **parts),
            hosts=self.hosts,
            policy=self.layer.policy,
            early=self.state.early,
        )
        return bool(found["held_back"][0])

    def soundness(self) -> Verdict:
        if not self.over:
            return Verdict(NAMES[5], Status.UNKNOWN, self._waits_for())
        if self.layer.phase is Phase.CONVERGE:
            return Verdict(NAMES[5], Status.HOLDS, "the gate opened")
        prov = int(self.trace.prov[-1])
        reason = f"{prov} left, out of reach" if prov else "all have reported"
        return _judge(NAMES[5], bool(self.passed["fail_sound"][0]), reason)

    def budget(self) -> Verdict:
        reason = f"{self.points} of {self.hosts + 3} points"
        return _judge(NAMES[6], bool(self.passed["within_budget"][0]), reason)

    def prediction(self) -> Verdict:
        told = self.layer.prediction()
        assert told is not None
        if not self.over:
            for_ever = told.ends_in is Decision.HOLD
            reason = "waits for ever" if for_ever else f"due at report {told.report}"
            return Verdict(NAMES[7], Status.UNKNOWN, reason)
        phase = Phase.CONVERGE if told.ends_in is Decision.PROCEED else Phase.FAILED
        ready, failed = int(self.trace.ready[-1]), int(self.trace.failed[-1])
        same = told.ends_in is not Decision.HOLD and phase == self.trace.phase[-1]
        same &= (told.ready, told.failed, told.report) == (ready, failed, ready + failed)
        return _judge(NAMES[7], bool(same), f"report {told.report} of {self.hosts}")


_FIELDS = ("phase", "ready", "failed", "prov")


def _ready_means_up(layer: BarrierLayer) -> Verdict:
    name = NAMES[8]
    said = int(np.count_nonzero(layer.word == Host.READY))
    false = np.flatnonzero(layer.false_ready)
    if not len(false):
        return Verdict(name, Status.HOLDS, f"{said} said ready, {said} are")
    shown = ", ".join(f"n{host:02d}" for host in false[:3].tolist())
    reason = f"{shown} {'are' if len(false) > 1 else 'is'} not"
    if len(false) > 3:
        reason = f"{len(false)} of {said} are not"
    return Verdict(name, Status.VIOLATED, reason, tuple(false[:8].tolist()))


def _all_report(layer: BarrierLayer, state: BarrierState) -> Verdict:
    """Judge liveness: who has an outcome and a path to the controller is heard in the end."""
    name, world = NAMES[9], layer.world
    silent = np.flatnonzero(~state.heard)
    nodes = tuple(silent[:8].tolist())
    if not len(silent):
        return Verdict(name, Status.HOLDS, f"{world.nodes} of {world.nodes} heard")
    tick = layer.present_tick
    quiet = np.maximum(state.ended, layer.script.latest(tick))
    waited = tick - quiet > _LOST_AFTER * (state.resend + world.every)
    telling = state.stage >= Stage.IMAGED
    lost = telling & waited & world.up & ~state.heard
    if lost.any() and world.up[state.seat] and not layer.script.links(tick):
        overdue = np.flatnonzero(lost)
        reason = f"{len(overdue)} never heard"
        return Verdict(name, Status.VIOLATED, reason, tuple(overdue[:8].tolist()))
    return Verdict(name, Status.UNKNOWN, f"{len(silent)} still silent", nodes)


def describe_events(layer: BarrierLayer, since: int) -> tuple[Event, ...]:
    """Return what happened at tick `since` or later, oldest first; no line for a good report."""
    rows = layer.records.logs["barrier"].rows(since, layer.present_tick + 1)
    told = np.isin(
        rows["what"], [Said.FANNED_OUT, Said.BROKE, Said.SAID_FAILED, Said.DECIDED, Said.POLICY]
    )
    found = []
    for tick, host, what, value in zip(
        *(rows[name][told].tolist() for name in ("tick", "host", "what", "value")), strict=True
    ):
        found.append(Event(tick, "barrier", host, _sentence(Said(what), host, value)))
    return tuple(found)


def _sentence(what: Said, host: int, value: int) -> str:
    match what:
        case Said.FANNED_OUT:
            return f"n{value:02d} has every node imaged"
        case Said.BROKE:
            return f"imaging of n{host:02d} {'ends in a crash' if value else 'fails'}"
        case Said.SAID_FAILED:
            return f"the controller hears that n{host:02d} FAILED, report {value + 1}"
        case Said.POLICY:
            return f"the gate asks for {policy_of(value).name}"
        case _:
            return f"the gate says {'CONVERGE' if value == Decision.PROCEED else 'FAILED'}"
