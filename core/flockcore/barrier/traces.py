"""Eager runs of whole schedules at once, and the traces that they leave (spec barrier, section 8).

Runs of one policy over the same number of hosts are rows. The counts after every report are one
cumulative sum, the gate is asked at all of them, and a run ends at the first that does not hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Phase
from flockcore.barrier.errors import BudgetError
from flockcore.barrier.gate import resolved
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Bytes, Indices, Mask
    from flockcore.barrier.policy import Policy

__all__ = ["Traces", "run"]

type Numbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Traces:
    """Trace points of K runs, one run after another, T points in all.

    Attributes:
        start: First point of each run, and T, shape (K + 1,).
        phase: `Phase` of each point, shape (T,).
        ready: Number of READY hosts, shape (T,).
        failed: Number of FAILED hosts, shape (T,).
        prov: Number of PROVISIONING hosts, shape (T,).
    """

    start: Indices
    phase: Bytes
    ready: Numbers
    failed: Numbers
    prov: Numbers

    @classmethod
    def of(
        cls, phases: str, ready: Sequence[int], failed: Sequence[int], prov: Sequence[int]
    ) -> Traces:
        """Return one trace from its phase letters and counts."""
        letters = {phase.letter: phase for phase in Phase}
        return cls(
            start=np.array([0, len(phases)], dtype=np.intp),
            phase=np.array([letters[one] for one in phases], dtype=np.uint8),
            ready=np.array(ready, dtype=np.int32),
            failed=np.array(failed, dtype=np.int32),
            prov=np.array(prov, dtype=np.int32),
        )

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.start) - 1

    @property
    def length(self) -> Indices:
        """Number of points of each run, shape (K,)."""
        return np.diff(self.start)

    @property
    def last(self) -> Indices:
        """Last point of each run, all of which have one, shape (K,)."""
        return self.start[1:] - 1

    def letters(self, run: int) -> str:
        """Return the phases of one run, a letter for each point."""
        part = self.phase[self.start[run] : self.start[run + 1]]
        return "".join(Phase(one).letter for one in part.tolist())


def run(policy: Policy, words: Mask, *, early: bool = False, budget: int | None = None) -> Traces:
    """Run schedules through the eager gate.

    Args:
        policy: What must hold.
        words: Whether each report is a failure, in the order of the reports, shape (K, n).
        early: Fail as soon as the policy is out of reach.
        budget: Most points that a trace may have; n + 3 unless given.

    Raises:
        BudgetError: a trace is longer than the budget.
        PolicyError: the policy could not be asked.
    """
    if words.ndim != 2:
        raise FlockError(f"words has {words.ndim} axes; 2 are needed, runs and reports")
    runs, hosts = words.shape
    failed = np.zeros((runs, hosts + 1), dtype=np.int32)
    np.cumsum(words, axis=1, dtype=np.int32, out=failed[:, 1:])
    prov = np.arange(hosts, -1, -1, dtype=np.int32)
    ready = np.arange(hosts + 1, dtype=np.int32) - failed
    over, holds = resolved(policy, ready, failed, np.broadcast_to(prov, ready.shape), early=early)
    stop = over.argmax(axis=1)
    length = stop + 3
    if len(length) and length.max() > (hosts + 3 if budget is None else budget):
        raise BudgetError(f"a trace has {length.max()} points; its budget is {budget}")
    start = np.zeros(runs + 1, dtype=np.intp)
    np.cumsum(length, out=start[1:])
    return _written(start, stop, ready, failed, prov, holds)


def _written(
    start: Indices, stop: Indices, ready: Numbers, failed: Numbers, prov: Numbers, holds: Mask
) -> Traces:
    """Write the points: one in IMAGING, those in BARRIER up to the stop, the stop once more."""
    total, width = int(start[-1]), ready.shape[1]
    phase = np.full(total, Phase.BARRIER, dtype=np.uint8)
    phase[start[:-1]] = Phase.IMAGING
    runs = np.arange(len(stop), dtype=np.intp)
    phase[start[1:] - 1] = np.where(holds[runs, stop], Phase.CONVERGE, Phase.FAILED)
    if len(stop) == 1:
        # The same as below, in slices: a fraction of the time where it matters, for long runs.
        ready, failed, prov = (_drawn_out(row, int(stop[0])) for row in (ready[0], failed[0], prov))
        return Traces(start=start, phase=phase, ready=ready, failed=failed, prov=prov)
    length = np.diff(start)
    column = np.arange(total, dtype=np.intp)
    column -= np.repeat(start[:-1] + 1, length)
    np.maximum(column, 0, out=column)
    np.minimum(column, np.repeat(stop, length), out=column)
    cell = column + np.repeat(runs * width, length)
    return Traces(
        start=start,
        phase=phase,
        ready=ready.reshape(-1).take(cell, mode="clip"),
        failed=failed.reshape(-1).take(cell, mode="clip"),
        prov=prov.take(column, mode="clip"),
    )


def _drawn_out(counts: Numbers, stop: int) -> Numbers:
    """Return the counts up to a stop, with the first and the last twice, shape (stop + 3,)."""
    points = np.empty(stop + 3, dtype=np.int32)
    points[0], points[1:-1], points[-1] = counts[0], counts[: stop + 1], counts[stop]
    return points
