"""What a trace must be, re-derived from the trace (spec barrier, section 9).

Nothing of the engine is used here, neither its gate nor its policies' predicates: those are stated
a second time. A check looks at trace points, the policy's numbers and the schedule, and believes no
decision. The original's eight checks keep their names; the others close the holes that its mutants
show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.policy import AtLeast, Combined, MaxFailures, StrictAll, Threshold

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Bytes, Indices, Integers, Mask
    from flockcore.barrier.outcome import Outcome
    from flockcore.barrier.policy import Policy
    from flockcore.barrier.traces import Traces

__all__ = ["ORIGINAL", "STRICTER", "check_original", "check_schedule", "check_stricter", "permits"]

ORIGINAL = (
    "partition",
    "ready_monotone",
    "failed_monotone",
    "safety",
    "fail_sound",
    "terminated",
    "within_budget",
    "monotone_outcome",
)
"""Checks of the original."""

STRICTER = ("phase_word", "fresh_start", "single_steps", "final_repeats", "held_back")
"""Checks that the original lacks."""

_I, _B, _C, _F = 0, 1, 2, 3
_NONE = np.zeros(0, dtype=np.intp)


def permits(policy: Policy, ready: Integers, failed: Integers, prov: Integers) -> Mask:
    """Return whether the policy holds at points: the predicates of section 4, stated again."""
    match policy:
        case StrictAll():
            met: Mask = ready == ready + failed + prov
            return met
        case Threshold(least):
            return ~(ready < least)
        case MaxFailures(most):
            return ~(failed > most)
        case Combined(least, most):
            return ~((ready < least) | (failed > most))
        case AtLeast(inner, reports):
            early = failed + ready < reports
            return ~early & permits(inner, ready, failed, prov)
        case _:
            return np.asarray(policy.holds(ready, failed, prov), dtype=np.bool_)


def _out_of_reach(policy: Policy, ready: Integers, failed: Integers, prov: Integers) -> Mask:
    """Return whether no way of reporting on makes the policy hold: last row of section 13."""
    match policy:
        case StrictAll():
            return failed > 0
        case Threshold(least):
            return least - ready > prov
        case MaxFailures(most):
            return failed > most
        case Combined(least, most):
            return (least - ready > prov) | (failed > most)
        case _:
            return ~np.asarray(policy.attainable(ready, failed, prov), dtype=np.bool_)


def check_original(
    traces: Traces,
    *,
    hosts: int,
    policy: Policy,
    totals: tuple[Integers, Integers],
    early: bool = False,
) -> dict[str, Mask]:
    """Return, for each of the original's checks, which runs pass it, shape (K,).

    Args:
        traces: Any points, honest or not; a run may have none.
        hosts: Number of hosts.
        policy: What the gate asked for.
        totals: READY and FAILED hosts in each run's whole schedule, shape (K,) both.
        early: The gate may fail as soon as the policy is out of reach.
    """
    look = _Look(traces)
    ready, failed, prov = traces.ready, traces.failed, traces.prov
    at_end = look.last_phase()
    outcome = np.ones(len(traces), dtype=np.bool_)
    if policy.monotone:
        none = np.zeros_like(totals[0])
        outcome = (at_end == _C) == permits(policy, totals[0], totals[1], none)
    converged = look.points_in(_C)
    premature = ~permits(policy, ready[converged], failed[converged], prov[converged])
    gone = look.points_in(_F)
    counts = ready[gone], failed[gone], prov[gone]
    over = counts[2] == 0
    if early:
        over |= _out_of_reach(policy, *counts)
    return {
        "partition": look.runs_without(ready + failed + prov != hosts),
        "ready_monotone": look.runs_without_step(ready[1:] < ready[:-1]),
        "failed_monotone": look.runs_without_step(failed[1:] < failed[:-1]),
        "safety": look.runs_without_points(converged[premature]),
        "fail_sound": look.runs_without_points(gone[~over | permits(policy, *counts)]),
        "terminated": (at_end == _C) | (at_end == _F),
        "within_budget": np.diff(traces.start) <= hosts + 3,
        "monotone_outcome": outcome,
    }


def check_stricter(
    traces: Traces, *, hosts: int, policy: Policy, early: bool = False
) -> dict[str, Mask]:
    """Return, for each of the stricter checks, which runs pass it, shape (K,).

    phase_word: the phases read I, then B once or more, then C or F.
    fresh_start: the first two points have no reports.
    single_steps: from B to B exactly one host gets READY or FAILED.
    final_repeats: the final point repeats the counts before it.
    held_back: where the gate held, the policy did not hold and hosts were left to report.

    Args:
        traces: Any points, honest or not; a run may have none.
        hosts: Number of hosts.
        policy: What the gate asked for.
        early: The gate fails as soon as the policy is out of reach.
    """
    look = _Look(traces)
    phase, ready, failed, prov = traces.phase, traces.ready, traces.failed, traces.prov
    before, after = phase[:-1], phase[1:]
    inner = before == _B
    waits = inner & (after == _B)
    ends = inner & (after >= _C)
    opens = (before == _I) & (after == _B)
    more_ready, more_failed = ready[1:] - ready[:-1], failed[1:] - failed[:-1]
    # One of the two is 1 and the other 0.
    single = ((more_ready | more_failed) == 1) & (more_ready != more_failed)
    single &= prov[:-1] - prov[1:] == 1
    first = look.first_points()
    fresh = (ready[first] == 0) & (failed[first] == 0) & (prov[first] == hosts)
    held = permits(policy, ready[:-1], failed[:-1], prov[:-1])
    held |= prov[:-1] <= 0
    if early:
        held |= _out_of_reach(policy, ready[:-1], failed[:-1], prov[:-1])
    word = look.runs_without_step(~(waits | ends | opens))
    word &= (look.first_phase() == _I) & (look.last_phase() >= _C) & (look.last_phase() <= _F)
    opened = look.runs_without_points(look.changed(opens))
    return {
        "phase_word": word,
        "fresh_start": look.runs_without_points(first[~fresh]) & opened,
        "single_steps": look.runs_without_step(waits & ~single),
        "final_repeats": look.runs_without_points(look.changed(ends)),
        "held_back": look.runs_without_step(waits & held),
    }


def check_schedule(
    traces: Traces, *, words: Mask, orders: Indices | None, outcome: Outcome | None
) -> dict[str, Mask]:
    """Return, for each check against the schedule, which runs pass it, shape (K,).

    every_host_once: the order names each host exactly once.
    follows_schedule: each report in the trace is the one that the schedule has there.
    closed_form: phase, counts and length at the end are the predicted ones.

    Args:
        traces: Any points, honest or not.
        words: Whether each report is a failure, in the order of the reports, shape (K, n).
        orders: Hosts in the order of the reports, shape (K, n), if they are known.
        outcome: The prediction, if there is one.
    """
    runs = len(words)
    follows = np.array([_follows(traces, run, words[run]) for run in range(runs)], dtype=np.bool_)
    once = follow_form = np.ones(runs, dtype=np.bool_)
    if orders is not None:
        once = np.array([_is_arrangement(order) for order in orders], dtype=np.bool_)
    if outcome is not None:
        follow_form = _as_predicted(traces, outcome)
    return {"every_host_once": once, "follows_schedule": follows, "closed_form": follow_form}


def _follows(traces: Traces, run: int, word: Mask) -> bool:
    """Return whether the reports between the points in BARRIER begin the schedule."""
    failed = traces.failed[traces.start[run] + 1 : max(traces.start[run + 1] - 1, 0)]
    steps = failed[1:] - failed[:-1]
    return len(steps) <= len(word) and bool((steps == word[: len(steps)]).all())


def _is_arrangement(order: Indices) -> bool:
    seen = np.zeros(len(order), dtype=np.bool_)
    seen[order] = True
    return bool(seen.all())


def _as_predicted(traces: Traces, outcome: Outcome) -> Mask:
    length = np.diff(traces.start)
    fits: Mask = length == outcome.length
    rows = np.flatnonzero(fits)
    last = traces.start[rows + 1] - 1
    fits[rows] = (
        (traces.phase[last] == np.where(outcome.converges[rows], _C, _F))
        & (traces.ready[last] == outcome.ready[rows])
        & (traces.failed[last] == outcome.failed[rows])
    )
    return fits


class _Look:
    """Points of many runs, and which run a point belongs to."""

    def __init__(self, traces: Traces) -> None:
        self._start = traces.start
        self._counts = traces.ready, traces.failed, traces.prov
        self._phase = traces.phase
        self._runs = len(traces)
        # A step from one run's last point to the next run's first is none.
        borders = self._start[1:-1]
        self._borders = borders[(borders > 0) & (borders < len(self._phase))] - 1

    def runs_without(self, bad: Mask) -> Mask:
        """Return the runs that have no bad point, from a mask of points, shape (T,)."""
        # Nearly always there is none, and asking only that is faster.
        return self.runs_without_points(np.flatnonzero(bad) if bad.any() else _NONE)

    def runs_without_step(self, bad: Mask) -> Mask:
        """Return the runs that have no bad step, from a mask of steps, shape (T - 1,)."""
        bad[self._borders] = False
        return self.runs_without(bad)

    def changed(self, steps: Mask) -> Indices:
        """Return at which of some steps within runs the counts differ, shape (T - 1,)."""
        at = np.flatnonzero(steps)
        return at[np.any([one[at] != one[at + 1] for one in self._counts], axis=0)]

    def runs_without_points(self, points: Indices) -> Mask:
        """Return the runs that have none of some points, shape (K,)."""
        fine = np.ones(self._runs, dtype=np.bool_)
        if len(points):
            fine[np.searchsorted(self._start, points, side="right") - 1] = False
        return fine

    def points_in(self, phase: int) -> Indices:
        """Return the points in a phase."""
        return np.flatnonzero(self._phase == phase)

    def first_points(self) -> Indices:
        """Return the first point of every run that has one."""
        return self._start[:-1][self._start[:-1] < self._start[1:]]

    def first_phase(self) -> Bytes:
        """Return the first phase of each run, 255 for one without points, shape (K,)."""
        return self._phases(self._start[:-1])

    def last_phase(self) -> Bytes:
        """Return the last phase of each run, 255 for one without points, shape (K,)."""
        return self._phases(self._start[1:] - 1)

    def _phases(self, points: Indices) -> Bytes:
        phases = np.full(self._runs, 255, dtype=np.uint8)
        some = np.flatnonzero(self._start[:-1] < self._start[1:])
        phases[some] = self._phase[points[some]]
        return phases
