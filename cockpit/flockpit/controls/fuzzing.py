"""A fuzz campaign in slices, so that whoever watches can go on with something else.

Whatever stops it (the person, a policy that complains, a bug), what was done before stays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flockcore.barrier.fuzz import Campaign
from flockcore.barrier.report import Report, Violation
from flockcore.errors import FlockError
from flockpit.session import sentence

__all__ = ["MOST_HOSTS", "MOST_RUNS", "Fuzzing", "read_campaign"]

MOST_HOSTS = 100_000
"""A run of more hosts would hold a page up for too long; the command line takes any number."""
MOST_RUNS = 1_000_000
_SLICE_S = 0.008
"""Wall time that one slice is to take."""
_KEPT = 8
"""Violations that are kept in full."""
_LIMITS = (("hosts", 1, MOST_HOSTS), ("runs", 1, MOST_RUNS), ("seed", 0, 2**53 - 1))


def read_campaign(**texts: str) -> Campaign:
    """Return the campaign that three fields ask for.

    Args:
        texts: hosts, runs and seed, as they were typed.

    Raises:
        FlockError: what is no whole number within the limits, and which are allowed.
    """
    numbers = {}
    for name, least, most in _LIMITS:
        text = texts[name].strip().replace(",", "").replace("_", "")
        number = int(text) if text.removeprefix("-").isdecimal() else None
        if number is None or not least <= number <= most:
            raise FlockError(
                f"{name} is `{texts[name].strip()}`; a whole number from {least:,} to {most:,}"
                " is allowed"
            )
        numbers[name] = number
    return Campaign(hosts=numbers["hosts"], runs=numbers["runs"], seed=numbers["seed"])


@dataclass(slots=True)
class Fuzzing:
    """A campaign under way.

    Attributes:
        campaign: what is run.
        clock: wall time in seconds.
        made: runs made so far.
        converged: runs that ended in CONVERGE.
        failed: runs that ended in FAILED.
        reports: host reports that gates took.
        broken: runs that failed a check.
        violations: the first of them.
        cells: converged, failed and broken runs of each cell of the suite, by its name.
        seconds: wall time that it took.
        stopped: why runs are missing, or nothing.
    """

    campaign: Campaign
    clock: Callable[[], float] = time.perf_counter
    made: int = 0
    converged: int = 0
    failed: int = 0
    reports: int = 0
    broken: int = 0
    violations: list[Violation] = field(default_factory=list)
    cells: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: str = ""
    _width: int = 1

    def __post_init__(self) -> None:
        """Name every cell, so that a table of them keeps its rows."""
        self.cells = {cell.name: [0, 0, 0] for cell in self.campaign.suite}

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.stopped) or self.made >= self.campaign.runs

    def cancel(self) -> None:
        """Make no more runs."""
        if not self.done:
            self.stopped = "Cancelled."

    def work(self, until: float) -> None:
        """Make runs until a moment of wall time, a slice at the least."""
        while not self.done:
            began = self.clock()
            stop = min(self.made + self._width, self.campaign.runs)
            try:
                self._add(self.campaign.run(first=self.made, stop=stop))
            except FlockError as error:
                self.stopped = sentence(error)
            except Exception as error:
                self.stopped = f"Failed with {type(error).__name__}: {error}"
            now = self.clock()
            self.seconds += now - began
            if now - began < _SLICE_S / 2:
                self._width *= 2
            elif now - began > _SLICE_S:
                self._width = max(1, self._width // 2)
            if now >= until:
                return

    def _add(self, part: Report) -> None:
        self.made += part.runs
        self.converged += part.converged
        self.failed += part.failed
        self.reports += part.reports
        for name, (converged, failed) in part.cells.items():
            self.cells[name][0] += converged
            self.cells[name][1] += failed
        for found in part.violations:
            self.broken += 1
            self.cells[found.cell][2] += 1
            if len(self.violations) < _KEPT:
                self.violations.append(found)
        if part.stopped is not None:
            self.stopped = sentence(FlockError(part.stopped))
