"""Barriers of many runs, step by step, on arrays (spec barrier, sections 2, 3 and 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Decision, Gate, Host, Phase
from flockcore.barrier.errors import IllegalStepError
from flockcore.barrier.gate import decisions, resolved
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from flockcore.barrier.arrays import Bytes, Indices
    from flockcore.barrier.policy import Policy

__all__ = ["Barriers", "BarriersState"]


@dataclass(slots=True)
class BarriersState:
    """All that changes in K runs of n hosts.

    Attributes:
        hosts: `Host` of each host, shape (K, n).
        phase: `Phase` of each run, shape (K,).
        ready: Number of READY hosts, shape (K,).
        failed: Number of FAILED hosts, shape (K,).
        prov: Number of PROVISIONING hosts, shape (K,).
    """

    hosts: Bytes
    phase: Bytes
    ready: NDArray[np.int64]
    failed: NDArray[np.int64]
    prov: NDArray[np.int64] = field(repr=False)


class Barriers:
    """Controllers that wait at a barrier, one a run, all under one policy.

    Every step names the runs that take it, each once, and either all of them do or, when one may
    not, none does and nothing changes.

    Args:
        runs: Number of runs, K.
        hosts: Number of hosts of each, n, 0 or more.
        policy: What must hold before a controller goes on.
        gate: Whether the gate's answer must be the next step.
        early: Fail as soon as the policy is out of reach.
    """

    def __init__(
        self,
        *,
        runs: int,
        hosts: int,
        policy: Policy,
        gate: Gate = Gate.EAGER,
        early: bool = False,
    ) -> None:
        for what, number in (("runs", runs), ("hosts", hosts)):
            if number < 0:
                raise FlockError(f"{what} is {number}; 0 or more is allowed")
        self.policy = policy
        self.gate = Gate(gate)
        self.early = early
        self.state = BarriersState(
            hosts=np.full((runs, hosts), Host.PROVISIONING, dtype=np.uint8),
            phase=np.full(runs, Phase.IMAGING, dtype=np.uint8),
            ready=np.zeros(runs, dtype=np.int64),
            failed=np.zeros(runs, dtype=np.int64),
            prov=np.full(runs, hosts, dtype=np.int64),
        )

    def fan_out(self, runs: ArrayLike) -> None:
        """Provision all hosts of some runs: IMAGING becomes BARRIER."""
        rows = self._rows(runs)
        self._need(rows, Phase.IMAGING, "fan out")
        self.state.phase[rows] = Phase.BARRIER

    def report(self, runs: ArrayLike, hosts: ArrayLike, outcomes: ArrayLike) -> None:
        """Take one report in each of some runs.

        Args:
            runs: Runs, each once, shape (m,).
            hosts: The host that reports in each, shape (m,).
            outcomes: READY or FAILED, shape (m,).

        Raises:
            IllegalStepError: a run is not in BARRIER, a host is unknown or has reported before, an
                outcome is none, or an eager gate has decided. Nothing changed.
        """
        rows = self._rows(runs)
        self._need(rows, Phase.BARRIER, "report")
        columns = self._hosts(hosts)
        results = np.asarray(outcomes)
        _need_outcomes(results)
        if not len(rows) == len(columns) == len(results):
            raise IllegalStepError(
                f"{len(rows)} runs, {len(columns)} hosts, {len(results)} outcomes; as many of each"
            )
        before = self.state.hosts[rows, columns]
        again = np.flatnonzero(before != Host.PROVISIONING)
        if len(again):
            one = again[0]
            raise IllegalStepError(
                f"host {columns[one]} of run {rows[one]} has reported {Host(before[one]).name}"
                " before"
            )
        if self.gate is Gate.EAGER:
            self._need_hold(rows)
        self.state.hosts[rows, columns] = results
        self.state.prov[rows] -= 1
        self.state.ready[rows] += results == Host.READY
        self.state.failed[rows] += results == Host.FAILED

    def receive(self, run: int, hosts: ArrayLike, outcomes: ArrayLike) -> int:
        """Take reports as a lossy channel brings them, in order, and step the eager gate of a run.

        What a host repeats is ignored, even if it now says otherwise, and so is all that comes
        after the gate has decided (section 15.7). The gate is asked before the first report too.

        Args:
            run: A run in BARRIER.
            hosts: Hosts that report, in the order of arrival, shape (m,).
            outcomes: READY or FAILED, shape (m,).

        Returns:
            The number of reports that were taken.

        Raises:
            IllegalStepError: not in BARRIER, an unknown host, or an outcome that is none. Nothing
                changed.
        """
        (row,) = self._rows([run])
        self._need(np.array([row]), Phase.BARRIER, "receive")
        columns = self._hosts(hosts)
        results = np.asarray(outcomes, dtype=np.uint8)
        _need_outcomes(results)
        if len(columns) != len(results):
            raise IllegalStepError(
                f"{len(columns)} hosts, {len(results)} outcomes; as many of each"
            )
        state = self.state
        fresh = state.hosts[row, columns] == Host.PROVISIONING
        first = np.zeros(len(columns), dtype=np.bool_)
        first[np.unique(columns, return_index=True)[1]] = True
        kept = np.flatnonzero(fresh & first)
        columns, results = columns[kept], results[kept]
        failed = np.concatenate([[0], np.cumsum(results == Host.FAILED)]) + state.failed[row]
        taken = np.arange(len(columns) + 1)
        prov = state.prov[row] - taken
        ready = state.hosts.shape[1] - prov - failed
        over, holds = resolved(self.policy, ready, failed, prov, early=self.early)
        stop = int(over.argmax()) if over.any() else len(columns)
        state.hosts[row, columns[:stop]] = results[:stop]
        state.ready[row], state.failed[row], state.prov[row] = ready[stop], failed[stop], prov[stop]
        if over[stop]:
            state.phase[row] = Phase.CONVERGE if holds[stop] else Phase.FAILED
        return stop

    def decide(self, runs: ArrayLike) -> Bytes:
        """Return the `Decision` of some runs, all in BARRIER, shape (m,); nothing changes."""
        rows = self._rows(runs)
        self._need(rows, Phase.BARRIER, "decide")
        return self._decisions(rows)

    def apply(self, runs: ArrayLike, answers: ArrayLike) -> None:
        """Take the step that the gate allows; HOLD is always allowed and changes nothing.

        Raises:
            IllegalStepError: a run is not in BARRIER, or its gate says otherwise. Nothing changed.
        """
        rows = self._rows(runs)
        self._need(rows, Phase.BARRIER, "apply a decision")
        wanted = np.broadcast_to(np.asarray(answers), rows.shape)
        said = self._decisions(rows)
        wrong = np.flatnonzero((wanted != Decision.HOLD) & (wanted != said))
        if len(wrong):
            one = wrong[0]
            raise IllegalStepError(
                f"{Decision(wanted[one]).name} in run {rows[one]} while the gate says"
                f" {Decision(said[one]).name}"
            )
        self.state.phase[rows[wanted == Decision.PROCEED]] = Phase.CONVERGE
        self.state.phase[rows[wanted == Decision.FAIL]] = Phase.FAILED

    def _decisions(self, rows: Indices) -> Bytes:
        state = self.state
        return decisions(
            self.policy, state.ready[rows], state.failed[rows], state.prov[rows], early=self.early
        )

    def _rows(self, runs: ArrayLike) -> Indices:
        rows = np.asarray(runs, dtype=np.intp).reshape(-1)
        count = len(self.state.phase)
        wrong = rows[(rows < 0) | (rows >= count)]
        if len(wrong):
            raise IllegalStepError(f"run {wrong[0]}; 0 to {count - 1} is allowed")
        if len(np.unique(rows)) < len(rows):
            raise IllegalStepError("a run is named twice; each may step once")
        return rows

    def _hosts(self, hosts: ArrayLike) -> Indices:
        columns = np.asarray(hosts, dtype=np.intp).reshape(-1)
        count = self.state.hosts.shape[1]
        wrong = columns[(columns < 0) | (columns >= count)]
        if len(wrong):
            raise IllegalStepError(f"host {wrong[0]} reports; 0 to {count - 1} is allowed")
        return columns

    def _need(self, rows: Indices, phase: Phase, what: str) -> None:
        wrong = rows[self.state.phase[rows] != phase]
        if len(wrong):
            name = Phase(self.state.phase[wrong[0]]).name
            raise IllegalStepError(f"{what} in {name} (run {wrong[0]}); only in {phase.name}")

    def _need_hold(self, rows: Indices) -> None:
        said = self._decisions(rows)
        decided = np.flatnonzero(said != Decision.HOLD)
        if len(decided):
            one = decided[0]
            raise IllegalStepError(
                f"the eager gate of run {rows[one]} says {Decision(said[one]).name}:"
                " apply that next"
            )


def _need_outcomes(results: NDArray[np.integer]) -> None:
    wrong = results[(results != Host.READY) & (results != Host.FAILED)]
    if len(wrong):
        raise IllegalStepError(f"a host reports {wrong[0]}; READY (1) or FAILED (2) is allowed")
