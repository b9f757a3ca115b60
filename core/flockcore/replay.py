"""Running a recorded run again: the same scenario, seeds and injections, tick by tick.

A run is a pure function of its scenario, its seed schedule and what was injected by hand. A share
token and an exported run hold just that, together with digests that the repetition has to meet.
"""

from collections.abc import Iterable, Iterator

from flockcore.kernel.faults import Fault
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["replay"]


def replay(
    scenario: Scenario,
    *,
    schedule: Iterable[tuple[int, int]],
    injected: Iterable[Fault] = (),
    ticks: int,
) -> Iterator[Simulation]:
    """Run a recorded run again.

    Args:
        scenario: What was run.
        schedule: Seeds by the tick from which they hold; the first from tick 0.
        injected: What was injected by hand, each record with its `start`, in order of injection.
        ticks: For how many ticks.

    Yields:
        The simulation at tick 0 and after each tick. A fork makes it another object.

    Raises:
        FlockError: A record does not fit the flock.
    """
    (_, first), *later = schedule
    reseeded = dict(later)
    by_tick: dict[int, list[Fault]] = {}
    for fault in injected:
        by_tick.setdefault(fault.start or 1, []).append(fault)
    simulation = Simulation(scenario, seed=first)
    yield simulation
    for tick in range(1, ticks + 1):
        if tick in reseeded:
            simulation = simulation.fork(reseeded[tick])
        for fault in by_tick.get(tick, ()):
            simulation.inject(fault)
        simulation.run(1)
        yield simulation
