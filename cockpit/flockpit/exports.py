"""A run as one JSON file, and the check that it is that run.

The file holds everything that determines it (scenario, seeds, what was injected) and what
came of it (a digest and the statistics of every tick), so that anybody can run it again and learn
at which tick, if any, the two differ.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

from flockcore.errors import FlockError
from flockcore.kernel import faults
from flockcore.kernel.faults import Fault
from flockcore.replay import replay
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["FORMAT", "RunRecord", "Verification", "engine_version"]

FORMAT = "flockpit-run/1"
"""Value of the key `format` in an exported run."""

type Progress = Callable[[int], object]


def engine_version() -> str:
    """Return the version of flockpit that runs."""
    return version("flockpit")


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of running a run again.

    Attributes:
        ticks: Ticks that were run again.
        differs_at: First tick that differs; None when all are identical.
        what: What differs there: "the state", or a column of the statistics.
        recorded_by: Version that recorded the run.
    """

    ticks: int
    differs_at: int | None
    what: str
    recorded_by: str

    @property
    def sentence(self) -> str:
        """The outcome in one line."""
        if self.differs_at is None:
            return f"identical: {self.ticks} ticks run again, every digest the same"
        made = ""
        if self.recorded_by != engine_version():
            made = f" (recorded by version {self.recorded_by}, this is {engine_version()})"
        same = "no tick is" if self.differs_at == 0 else f"ticks 0 to {self.differs_at - 1} are"
        return f"differs at tick {self.differs_at}: {self.what}; {same} identical{made}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run, complete: what determines it and what came of it.

    Attributes:
        engine: Version that recorded it.
        scenario: What was run.
        schedule: Seeds by the tick from which they hold.
        injected: What was injected by hand, in order.
        digests: Digest of every tick in hexadecimal, tick 0 first.
        statistics: One integer per tick, tick 0 first, by column.
    """

    engine: str
    scenario: Scenario
    schedule: tuple[tuple[int, int], ...]
    injected: tuple[Fault, ...]
    digests: tuple[str, ...]
    statistics: Mapping[str, list[int]]

    @property
    def ticks(self) -> int:
        """Length of the run."""
        return len(self.digests) - 1

    @classmethod
    def of(cls, simulation: Simulation, *, progress: Progress | None = None) -> Self:
        """Record a run up to its playhead, by running it again from the start.

        Args:
            simulation: The run; it is not changed.
            progress: Is told every tick done.

        Raises:
            FlockError: The repetition ends in another state: the run cannot be relied on.
        """
        tick = simulation.tick
        injected = tuple(fault for fault in simulation.injected if (fault.start or 1) <= tick)
        schedule = tuple(entry for entry in simulation.schedule if entry[0] <= tick)
        digests: list[str] = []
        again = simulation
        for again in replay(simulation.scenario, schedule=schedule, injected=injected, ticks=tick):
            digests.append(again.digest())
            if progress is not None:
                progress(again.tick)
        if digests[-1] != simulation.digest():
            raise FlockError(f"run again, tick {tick} is not the same; nothing is exported")
        return cls.made(again, digests)

    @classmethod
    def made(cls, simulation: Simulation, digests: Iterable[str]) -> Self:
        """Return the record of a run whose digests were taken while it ran.

        Args:
            simulation: The run, at its end.
            digests: Digest of every tick, tick 0 first.
        """
        series = simulation.series
        return cls(
            engine=engine_version(),
            scenario=simulation.scenario,
            schedule=simulation.schedule,
            injected=simulation.injected,
            digests=tuple(digests),
            statistics={name: series.column(name).tolist() for name in series.names},
        )

    def to_json(self) -> str:
        """Return the record as one JSON document."""
        return json.dumps(
            {
                "format": FORMAT,
                "engine": self.engine,
                "scenario": self.scenario.to_dict(),
                "seeds": [list(entry) for entry in self.schedule],
                "injected": [faults.to_dict(fault) for fault in self.injected],
                "ticks": self.ticks,
                "digests": list(self.digests),
                "statistics": dict(self.statistics),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a record.

        Raises:
            FlockError: The text is no such record; the message names what is missing or wrong.
        """
        try:
            table = json.loads(text)
        except json.JSONDecodeError as error:
            raise FlockError(f"the run is not valid JSON: {error}") from error
        found = table.get("format") if isinstance(table, dict) else None
        if found != FORMAT:
            raise FlockError(f"the run's format is {found!r}; allowed is {FORMAT!r}")
        try:
            return cls._read(table)
        except FlockError:
            raise
        except KeyError as error:
            raise FlockError(f"the run lacks the key {error}") from error
        except (TypeError, ValueError) as error:
            raise FlockError(f"the run holds a value of the wrong type: {error}") from error

    @classmethod
    def _read(cls, table: Mapping[str, Any]) -> Self:
        scenario = Scenario.from_dict(table["scenario"])
        injected = tuple(faults.from_dict(item) for item in table["injected"])
        for fault in injected:
            faults.validate(fault, scenario.nodes)
        schedule = tuple((int(tick), int(seed)) for tick, seed in table["seeds"])
        digests = tuple(str(one) for one in table["digests"])
        if not digests or int(table["ticks"]) != len(digests) - 1:
            raise FlockError(
                f"the run has {len(digests)} digests for {table['ticks']} ticks; "
                "allowed is one per tick and one for tick 0"
            )
        if not schedule or schedule[0][0] != 0:
            raise FlockError(f"the run's seeds are {list(schedule)}; the first must hold from 0")
        statistics = {str(name): list(column) for name, column in table["statistics"].items()}
        for name, column in statistics.items():
            if len(column) != len(digests):
                raise FlockError(
                    f"the run's column {name!r} has {len(column)} values; "
                    f"allowed is one per digest: {len(digests)}"
                )
        return cls(
            engine=str(table["engine"]),
            scenario=scenario,
            schedule=schedule,
            injected=injected,
            digests=digests,
            statistics=statistics,
        )

    def verify(self, *, progress: Progress | None = None) -> Verification:
        """Run the run again and compare every tick.

        Args:
            progress: Is told every tick done.
        """
        for again in replay(
            self.scenario, schedule=self.schedule, injected=self.injected, ticks=self.ticks
        ):
            what = self._difference(again)
            if what:
                return Verification(again.tick, again.tick, what, self.engine)
            if progress is not None:
                progress(again.tick)
        return Verification(self.ticks, None, "", self.engine)

    def _difference(self, again: Simulation) -> str:
        tick = again.tick
        if again.digest() != self.digests[tick]:
            return "the state"
        for name in again.series.names:
            recorded = self.statistics.get(name)
            if recorded is not None and again.series.column(name)[tick] != recorded[tick]:
                return f"the statistic {name!r}"
        return ""
