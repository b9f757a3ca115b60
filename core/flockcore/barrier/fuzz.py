"""The fuzz campaign: many runs, every check on each, all violations collected (spec, section 11).

Run i takes cell i mod 12 of the suite and draws from the generator seeded with
(seed * 1000003) XOR i, so any part of a campaign can be made anywhere, and parts add up.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from flockcore.barrier.codes import Phase
from flockcore.barrier.invariants import check_original, check_schedule, check_stricter
from flockcore.barrier.mersenne import Twister
from flockcore.barrier.outcome import failures, predict
from flockcore.barrier.report import COLUMNS, Report, Results, Violation, summed
from flockcore.barrier.suite import SUITE, Cell
from flockcore.barrier.traces import Traces, run
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Mask
    from flockcore.barrier.policy import Policy
    from flockcore.barrier.schedule import Schedule

__all__ = ["Campaign", "Engine", "seed_of"]

_BLOCK = 1 << 19
"""Trace points that are worked on together, unless one run has more."""

_MOST_HOSTS = 2**31 - 4
"""Counts are 32 bits wide."""


class Engine(Protocol):
    """What runs schedules: `flockcore.barrier.traces.run`, or another that is to be tested."""

    def __call__(self, policy: Policy, words: Mask, *, early: bool = False) -> Traces:
        """Return the traces of schedules, shape (K, n), under a policy."""


def seed_of(seed: int, number: int) -> int:
    """Return the seed of a run's generator from that of the campaign and the run's number."""
    return (seed * 1_000_003) ^ number


class _Run(NamedTuple):
    number: int
    cell: int
    policy: Policy
    schedule: Schedule


@dataclass(slots=True)
class _Tally:
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def mark(self) -> tuple[int, int, int]:
        """Return how much there is."""
        return len(self.rows), len(self.names), len(self.violations)

    def back(self, mark: tuple[int, int, int]) -> None:
        """Forget what came after a mark."""
        rows, names, violations = mark
        del self.rows[rows:], self.names[names:], self.violations[violations:]


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A fuzz campaign.

    Attributes:
        hosts: Number of hosts, 0 or more.
        runs: Number of runs, 0 or more.
        seed: Any whole number.
        suite: Cells that runs take in turn.
        early: Gates fail as soon as their policy is out of reach.
        engine: What runs the schedules; another one only to see that the checks bite.

    Raises:
        FlockError: a negative number, or a suite without cells.
    """

    hosts: int = 10_000
    runs: int = 240
    seed: int = 0
    suite: tuple[Cell, ...] = SUITE
    early: bool = False
    engine: Engine = run

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("hosts", "runs"):
            number = getattr(self, name)
            if operator.index(number) < 0:
                raise FlockError(f"{name} is {number}; 0 or more is allowed")
        if self.hosts > _MOST_HOSTS:
            raise FlockError(f"hosts is {self.hosts}; at most {_MOST_HOSTS} is allowed")
        operator.index(self.seed)
        if not self.suite:
            raise FlockError("the suite has no cells; at least one is needed")

    def run(
        self,
        *,
        first: int = 0,
        stop: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> Report:
        """Make the runs `first` to `stop` - 1, all of them unless given.

        A policy that complains stops the campaign; the runs before it are in the report.

        Args:
            first: Number of the first run.
            stop: Number after the last one.
            progress: Called with the number of runs made and to be made, after each block of runs.
            clock: Returns seconds, as ``time.perf_counter``; without one the report says 0.

        Raises:
            FlockError: runs that the campaign does not have.
        """
        began = clock() if clock else 0.0
        end = self.runs if stop is None else stop
        if not 0 <= first <= end <= self.runs:
            raise FlockError(f"runs {first} to {end}; 0 to {self.runs} is allowed, in this order")
        tally, stop_at, stopped = _Tally(), None, None
        try:
            for block in self._blocks(first, end):
                self._work_on(block, tally)
                if progress is not None:
                    progress(len(tally.names), end - first)
        except FlockError as error:
            stop_at, stopped = first + len(tally.names), str(error)
        rows = np.concatenate([np.zeros((0, len(COLUMNS)), dtype=np.int64), *tally.rows])
        return summed(
            Results(rows, tuple(tally.names)),
            hosts=self.hosts,
            seed=self.seed,
            suite=tuple(cell.name for cell in self.suite),
            violations=tally.violations,
            seconds=clock() - began if clock else 0.0,
            stopped=stopped,
            stopped_at=stop_at,
        )

    def _work_on(self, block: list[_Run], tally: _Tally) -> None:
        """Make the runs of a block, or those before the first that cannot be made.

        Raises:
            FlockError: what that one complains about.
        """
        mark = tally.mark()
        try:
            for policy, group in _by_policy(block).items():
                self._work(policy, group, tally)
        except FlockError:
            # One at a time: which run it is, and which were made before it, is then no matter of
            # how runs were put together.
            tally.back(mark)
            for one in block:
                self._work(one.policy, [one], tally)

    def _blocks(self, first: int, end: int) -> Iterator[list[_Run]]:
        """Draw runs, as many at a time as are worked on together."""
        twister = Twister(0)
        width = max(1, _BLOCK // (self.hosts + 3))
        for start in range(first, end, width):
            block: list[_Run] = []
            for number in range(start, min(start + width, end)):
                twister.restart(seed_of(self.seed, number))
                cell = number % len(self.suite)
                try:
                    drawn = self.suite[cell].make(self.hosts, twister)
                except FlockError:
                    yield block
                    raise
                block.append(_Run(number, cell, *drawn))
            yield block

    def _work(self, policy: Policy, group: list[_Run], tally: _Tally) -> None:
        """Run and check runs under one policy, and note what they came to."""
        words = _rows([one.schedule.word for one in group])
        orders = _rows([one.schedule.order for one in group])
        failed = failures(words)
        ready = self.hosts - failed
        traces = self.engine(policy, words, early=self.early)
        outcome = predict(policy, words, early=self.early)
        checks = check_original(
            traces, hosts=self.hosts, policy=policy, totals=(ready, failed), early=self.early
        )
        checks |= check_stricter(traces, hosts=self.hosts, policy=policy, early=self.early)
        checks |= check_schedule(traces, words=words, orders=orders, outcome=outcome)
        passed = np.logical_and.reduce(list(checks.values()))
        for row in np.flatnonzero(~passed).tolist():
            broken = tuple(name for name, fine in checks.items() if not fine[row])
            tally.violations.append(self._violation(group[row], broken, _last(traces, row)))
        last = np.minimum(traces.last, max(len(traces.phase) - 1, 0))
        rows = np.empty((len(group), len(COLUMNS)), dtype=np.int64)
        for row, one in enumerate(group):
            rows[row, :2] = one.number, one.cell
        rows[:, 2], rows[:, 3], rows[:, 4] = (
            one[last] for one in (traces.phase, traces.ready, traces.failed)
        )
        rows[:, 5], rows[:, 6], rows[:, 7] = traces.length, ready, failed
        tally.rows.append(rows)
        tally.names += [(policy.name, one.schedule.name) for one in group]

    def _violation(
        self, one: _Run, checks: tuple[str, ...], last: tuple[str, int, int, int] | None
    ) -> Violation:
        return Violation(
            run=one.number,
            seed=self.seed,
            hosts=self.hosts,
            cell=self.suite[one.cell].name,
            policy=one.policy.name,
            schedule=one.schedule.name,
            checks=checks,
            last=last,
        )


def _rows[T: np.generic](arrays: list[NDArray[T]]) -> NDArray[T]:
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _by_policy(block: list[_Run]) -> dict[Policy, list[_Run]]:
    groups: dict[Policy, list[_Run]] = {}
    for one in block:
        groups.setdefault(one.policy, []).append(one)
    return groups


def _last(traces: Traces, row: int) -> tuple[str, int, int, int] | None:
    """Return the last point of a run, None if it has none."""
    point = int(traces.start[row + 1]) - 1
    if point < traces.start[row]:
        return None
    counts = (int(one[point]) for one in (traces.ready, traces.failed, traces.prov))
    return (Phase(int(traces.phase[point])).letter, *counts)  # type: ignore[return-value]
