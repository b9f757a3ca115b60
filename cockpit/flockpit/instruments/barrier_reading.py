"""What the Barrier deck shows of a run: counts, lanes, windows, and the trace judged anew."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.invariants import check_original, check_stricter
from flockcore.barrier.lanes import Lanes, lanes
from flockcore.barrier.policy import Combined, MaxFailures, Policy, StrictAll, Threshold
from flockcore.barrier.reports import Said
from flockcore.barrier.state import policy_of
from flockcore.barrier.traces import Traces
from flockcore.barrier.windows import Windows, windows
from flockcore.kernel.faults import Provision
from flockcore.kernel.layer import Status
from flockpit.instruments.view import DeckView
from flockpit.instruments.waffle_shapes import squares

__all__ = ["Check", "Decided", "Reading", "ending", "lines_of", "read"]

_EMPTY = (
    "<div class='empty'><span>No host is provisioned here.</span>"
    "<button class='small-button' data-do='provision'>Provision the flock <kbd>I</kbd></button>"
    "</div>"
)
_COMING = (
    "<div class='empty'><span>All hosts are provisioned from the next tick on.</span>"
    "<button class='small-button' data-do='toggle'>Play <kbd>space</kbd></button></div>"
)
_FIELDS = ("phase", "ready", "failed", "prov")


def ending(decision: Decision) -> str:
    """Return the phase to which a decision leads, as a word."""
    return {Decision.PROCEED: "CONVERGE", Decision.FAIL: "FAILED"}.get(decision, "waits for ever")


def lines_of(policy: Policy, hosts: int) -> tuple[int | None, int | None]:
    """Return how many hosts must be READY and how many may have FAILED, None where not asked."""
    match policy:
        case StrictAll():
            return hosts, 0
        case Threshold(ready):
            return ready, None
        case MaxFailures(failures):
            return None, failures
        case Combined(ready, failures):
            return ready, failures
        case _:
            return None, None


@dataclass(frozen=True, slots=True)
class Check:
    """What a check says of the trace.

    Attributes:
        name: what must be so, in a few words.
        status: holds, violated, or unknown while the trace is too short to tell.
        reason: a number or two.
    """

    name: str
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision of the gate, recorded future included.

    Attributes:
        tick: when.
        decision: what it was.
        ready: READY hosts in the gate's counts then.
    """

    tick: int
    decision: Decision
    ready: int


class Reading:
    """The barrier of a run at one tick.

    Args:
        view: of the run.

    Attributes:
        layer: the barrier layer.
        hosts: number of hosts N.
        on: whether a provisioning has begun.
        phase: of the controller; IMAGING before anything was provisioned.
    """

    def __init__(self, view: DeckView) -> None:
        self._view = view
        self.layer = view.sim.barrier
        self.hosts = view.nodes
        self.on: bool = bool(self.layer.on)
        self.phase: Phase = self.layer.phase

    # ------------------------------------------------------------------ now

    @cached_property
    def squares(self) -> NDArray[np.uint8]:
        """What each host's square says, a `Square`, shape (N,)."""
        return squares(self.layer.word, self.layer.truth, self.layer.false_ready)

    @cached_property
    def lines(self) -> tuple[int | None, int | None]:
        """Least READY and most FAILED hosts, as the gate asks for them now."""
        return lines_of(self.layer.policy, self.hosts) if self.on else (None, None)

    @cached_property
    def trace(self) -> Traces:
        """The points of the present provisioning so far."""
        found: Traces = self.layer.trace()
        return found

    @cached_property
    def absent(self) -> str:
        """What stands for a provisioning while there is none; nothing if there is one."""
        if self.on:
            return ""
        following = self._view.tick + 1
        faults = self._view.sim.script.faults
        coming = any(isinstance(one, Provision) and one.start == following for one in faults)
        return _COMING if coming else _EMPTY

    # ------------------------------------------------------------------ over time

    @cached_property
    def _rows(self) -> dict[str, NDArray[Any]]:
        return self._view.log("barrier")

    @cached_property
    def stretch(self) -> tuple[int, int]:
        """First and last tick of the provisioning that is shown; (-1, last) without any."""
        began = self._rows["tick"][self._rows["what"] == Said.FANNED_OUT]
        last = self._view.recorded_until
        if not len(began):
            return -1, last
        shown = max(int(np.searchsorted(began, self._view.tick, side="right")) - 1, 0)
        until = int(began[shown + 1]) - 1 if shown + 1 < len(began) else last
        return int(began[shown]), until

    @cached_property
    def lanes(self) -> Lanes:
        """Lanes of all hosts, recorded future included."""
        return lanes(self._rows, hosts=self.hosts, until=self.stretch[1])

    @cached_property
    def windows(self) -> Windows:
        """Stretches up to now in which the gate's word was false."""
        column = self._view.series("barrier_window")[: self._view.tick + 1]
        return windows(column, round(self._view.seconds * 1e6))

    @cached_property
    def decided(self) -> Decided | None:
        """The decision of the provisioning that is shown."""
        first, last = self.stretch
        rows = self._rows
        chosen = (rows["what"] == Said.DECIDED) & (rows["tick"] >= first) & (rows["tick"] <= last)
        if first < 0 or not chosen.any():
            return None
        at = int(np.flatnonzero(chosen)[0])
        tick = int(rows["tick"][at])
        ready = int(self._view.series("barrier_ready")[tick])
        return Decided(tick, Decision(int(rows["value"][at])), ready)

    # ------------------------------------------------------------------ the trace, judged anew

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every invariant, re-derived from the trace alone."""
        return _checks(self) if self.on else ()

    @cached_property
    def held_back(self) -> bool:
        """Whether the gate had reason to wait wherever it did, under the policy of that time."""
        reports = self.trace.ready + self.trace.failed
        for policy, first, last in self._eras():
            chosen = np.flatnonzero((reports >= first) & (reports <= last))
            parts = {name: getattr(self.trace, name)[chosen] for name in _FIELDS}
            era = Traces(start=np.array([0, len(chosen)], dtype=np.intp), **parts)
            found = check_stricter(
                era, hosts=self.hosts, policy=policy, early=bool(self.layer.early)
            )
            if not found["held_back"][0]:
                return False
        return True

    def _eras(self) -> list[tuple[Policy, int, int]]:
        """Return each policy, with how many reports were taken when it came and when it went."""
        rows, view = self._rows, self._view
        first = self.stretch[0]
        chosen = (rows["what"] == Said.POLICY) & (rows["tick"] >= first)
        chosen &= rows["tick"] <= view.tick
        ticks, values = rows["tick"][chosen].tolist(), rows["value"][chosen].tolist()
        taken = view.series("barrier_ready") + view.series("barrier_failed")
        begins = [0 if tick <= first else int(taken[tick - 1]) for tick in ticks]
        ends = [*begins[1:], self.hosts]
        return [
            (policy_of(value), begin, end)
            for value, begin, end in zip(values, begins, ends, strict=True)
        ]


def read(view: DeckView) -> Reading:
    """Return what there is to see, worked out once for each view."""
    if "barrier" not in view.memo:
        view.memo["barrier"] = Reading(view)
    found: Reading = view.memo["barrier"]
    return found


def _checks(reading: Reading) -> tuple[Check, ...]:
    layer, trace, hosts = reading.layer, reading.trace, reading.hosts
    points = len(trace.phase)
    over, early = reading.phase.is_final, bool(layer.early)
    word = np.array([np.count_nonzero(trace.ready[-1:])])
    totals = layer.totals or (word, word)
    one = [np.array([int(total)], dtype=np.int64) for total in totals]
    first = check_original(
        trace, hosts=hosts, policy=layer.policy, totals=(one[0], one[1]), early=early
    )
    more = check_stricter(trace, hosts=hosts, policy=layer.policy, early=early)
    reports = max(points - 2 - over, 0)
    converged = int(np.count_nonzero(trace.phase == Phase.CONVERGE))
    failed = int(np.count_nonzero(trace.phase == Phase.FAILED))
    waits = max(int(np.count_nonzero(trace.phase == Phase.BARRIER)) - over, 0)
    steps = f"{max(points - 1, 0)} steps"

    def judge(name: str, passed: object, reason: str, *, known: bool = True) -> Check:
        fine = Status.HOLDS if passed else Status.VIOLATED
        return Check(name, fine if known else Status.UNKNOWN, reason)

    end = f"{reading.phase.letter} at point {points}" if over else "not yet: it waits"
    fails = "FAILED only out of reach" if early else "FAILED only when all in"
    return (
        judge(f"Counts add up to {hosts}", first["partition"][0], f"{points} points"),
        judge("Ready never falls", first["ready_monotone"][0], steps),
        judge("Failed never falls", first["failed_monotone"][0], steps),
        judge("One report a step", more["single_steps"][0], f"{reports} reports"),
        judge("Begins with nothing heard", more["fresh_start"][0], "2 points"),
        judge("Waits below the line", reading.held_back, f"{waits} points"),
        judge("Policy held at CONVERGE", first["safety"][0], _points(converged), known=over),
        judge(fails, first["fail_sound"][0], _points(failed), known=over),
        judge("Ends as it stood", more["final_repeats"][0], _points(int(over)), known=over),
        judge("Terminated", first["terminated"][0], end, known=over),
        judge("Within budget", first["within_budget"][0], f"{points} of {hosts + 3}"),
        _monotone(reading, bool(first["monotone_outcome"][0])),
        _truth(reading),
    )


def _points(number: int) -> str:
    return f"{number} point{'s' * (number != 1)}"


def _monotone(reading: Reading, passed: bool) -> Check:
    name, over = "Outcome is monotone", reading.phase.is_final
    if not reading.layer.policy.monotone:
        return Check(name, Status.UNKNOWN, "cap can break")
    if not over:
        return Check(name, Status.UNKNOWN, "not decided")
    totals = reading.layer.totals
    reason = f"{totals[0]} ready in all" if totals else "decided"
    return Check(name, Status.HOLDS if passed else Status.VIOLATED, reason)


def _truth(reading: Reading) -> Check:
    false = np.flatnonzero(reading.layer.false_ready).tolist()
    said = int(np.count_nonzero(reading.layer.word == Host.READY))
    if not false:
        return Check("Ready means up", Status.HOLDS, f"{said} of {said} up")
    names = ", ".join(f"n{host:02d}" for host in false[:4])
    names = names if len(false) <= 4 else f"{len(false)} of {said} are not"
    return Check("Ready means up", Status.VIOLATED, names)
