"""What a fuzz campaign came to, and how parts of it add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Phase
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "Report", "Results", "Violation", "merge", "summed"]

COLUMNS = ("run", "cell", "phase", "ready", "failed", "length", "ready_total", "failed_total")
"""Columns of `Results`: number of the run, cell of the suite, last `Phase`, READY and FAILED hosts
at the last point, number of points, READY and FAILED hosts of the whole schedule."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A run that failed checks.

    Attributes:
        run: Number of the run.
        seed: Seed of the campaign.
        hosts: Number of hosts.
        cell: Name of the suite's cell.
        policy: Name of the policy.
        schedule: Name of the schedule.
        checks: Names of the failed checks.
        last: Phase letter and READY, FAILED, PROVISIONING hosts at the last point, if there is one.
    """

    run: int
    seed: int
    hosts: int
    cell: str
    policy: str
    schedule: str
    checks: tuple[str, ...]
    last: tuple[str, int, int, int] | None

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"run {self.run} of seed {self.seed}, {self.hosts} hosts, {self.cell}:"
            f" {', '.join(self.checks)} (policy {self.policy}, schedule {self.schedule},"
            f" last point {self.last})"
        )


@dataclass(frozen=True, eq=False, slots=True)
class Results:
    """What each run came to, one row a run.

    Attributes:
        table: The `COLUMNS`, shape (K, 8).
        names: Names of each run's policy and schedule, K pairs.
    """

    table: NDArray[np.int64]
    names: tuple[tuple[str, str], ...]

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one of `COLUMNS`, shape (K,)."""
        return self.table[:, COLUMNS.index(name)]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a campaign, or a part of it, came to.

    Attributes:
        hosts: Number of hosts.
        seed: Seed of the campaign.
        runs: Runs that were made.
        converged: Runs that ended in CONVERGE.
        failed: Runs that ended in FAILED.
        violations: Every run that failed a check, in order.
        cells: Converged and failed runs of each cell that had a run, in the order of the suite.
        reports: Host reports that gates took.
        seconds: Time that it took; that of parts adds up. It is left out when reports are compared.
        stopped: Why runs are missing: what a policy complained about, or None.
        stopped_at: The run at which it did; that one and all after it are left out.
        results: Each run's row, in order; left out too.
    """

    hosts: int
    seed: int
    runs: int
    converged: int
    failed: int
    violations: tuple[Violation, ...]
    cells: dict[str, tuple[int, int]]
    reports: int
    seconds: float = field(compare=False)
    stopped: str | None
    stopped_at: int | None = None
    suite: tuple[str, ...] = field(repr=False)
    results: Results = field(compare=False, repr=False)

    @property
    def first(self) -> Violation | None:
        """The violation of the lowest run."""
        return self.violations[0] if self.violations else None

    @property
    def clean(self) -> bool:
        """Whether no run failed a check and no policy complained."""
        return not self.violations and self.stopped is None


def summed(
    results: Results,
    *,
    hosts: int,
    seed: int,
    suite: tuple[str, ...],
    violations: Iterable[Violation],
    seconds: float,
    stopped: str | None = None,
    stopped_at: int | None = None,
) -> Report:
    """Return the report of rows in any order; arguments as in `Report`, `suite` names its cells."""
    order = np.argsort(results.column("run"), kind="stable")
    rows = Results(results.table[order], tuple(results.names[at] for at in order.tolist()))
    cell, phase = rows.column("cell"), rows.column("phase")
    converged, failed = (
        np.bincount(cell[phase == one].astype(np.intp), minlength=len(suite)).tolist()
        for one in (Phase.CONVERGE, Phase.FAILED)
    )
    met = set(cell.tolist())
    return Report(
        hosts=hosts,
        seed=seed,
        runs=len(cell),
        converged=sum(converged),
        failed=sum(failed),
        violations=tuple(sorted(violations, key=lambda one: one.run)),
        cells={name: (converged[at], failed[at]) for at, name in enumerate(suite) if at in met},
        reports=int(np.maximum(rows.column("length") - 3, 0).sum()),
        seconds=seconds,
        stopped=stopped,
        stopped_at=stopped_at,
        suite=suite,
        results=rows,
    )


def merge(reports: Sequence[Report]) -> Report:
    """Return the report of a campaign from those of its parts, in any order.

    Raises:
        FlockError: no part, parts of different campaigns, or a run that two parts made.
    """
    if not reports:
        raise FlockError("no reports to merge; at least one is needed")
    one = reports[0]
    if len({(part.hosts, part.seed, part.suite) for part in reports}) > 1:
        raise FlockError("reports of different campaigns; same hosts, seed and suite are needed")
    results = Results(
        np.concatenate([part.results.table for part in reports]),
        tuple(pair for part in reports for pair in part.results.names),
    )
    if len(np.unique(results.column("run"))) < len(results.names):
        raise FlockError("two reports have the same run; each run once is needed")
    stops = [part for part in reports if part.stopped_at is not None]
    stop = min(stops, key=lambda part: part.stopped_at or 0, default=None)
    end = None if stop is None else stop.stopped_at
    return summed(
        results if end is None else _before(results, end),
        hosts=one.hosts,
        seed=one.seed,
        suite=one.suite,
        violations=[
            found for part in reports for found in part.violations if end is None or found.run < end
        ],
        seconds=sum(part.seconds for part in reports),
        stopped=None if stop is None else stop.stopped,
        stopped_at=end,
    )


def _before(results: Results, end: int) -> Results:
    """Return the rows of the runs before `end`: what one process would have come to."""
    kept = np.flatnonzero(results.column("run") < end)
    return Results(results.table[kept], tuple(results.names[at] for at in kept.tolist()))
