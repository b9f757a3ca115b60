"""How long a tick takes, measured the same way natively and in the browser."""

import time
from statistics import median

from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["tick_ms"]


def tick_ms(nodes: int = 1000, *, ticks: int = 50, runs: int = 5) -> float:
    """Return the median, over some runs, of the mean time of a tick in milliseconds.

    Args:
        nodes: of a flock in which nothing goes wrong.
        ticks: in each run.
        runs: after one that is not counted.
    """
    sim = Simulation(Scenario(nodes=nodes))
    sim.run(ticks)
    found: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        sim.run(ticks)
        found.append((time.perf_counter() - began) / ticks * 1e3)
    return median(found)
