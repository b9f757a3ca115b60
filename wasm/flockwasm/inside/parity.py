"""Checkpoints of a run, to be compared with the same run on another machine."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from flockcore.barrier.fuzz import Campaign
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["CAMPAIGN", "EVERY", "LONGEST", "recorded"]

CAMPAIGN = "barrier fuzz"
"""Stands for a fuzz campaign of the barrier among the names of scenarios."""

EVERY = 100
"""Ticks between two checkpoints."""
LONGEST = 2_000
"""Most ticks of a scenario."""


def recorded(name: str, *, every: int = EVERY, longest: int = LONGEST) -> str:
    """Run a scenario, or the campaign, and return its checkpoints as JSON.

    Args:
        name: of the scenario, or `CAMPAIGN`.
        every: ticks between two checkpoints.
        longest: most ticks.

    Returns:
        A list of [tick, digest of the exact layers, float arrays of the others by name].
    """
    if name == CAMPAIGN:
        return json.dumps(_campaign())
    sim = Simulation(Scenario.load(name))
    ticks = min(sim.scenario.ticks, longest)
    points: list[tuple[int, str, dict[str, list[float]]]] = []
    while sim.tick < ticks:
        sim.run(min(every, ticks - sim.tick))
        points.append((sim.tick, sim.digest(), dict(_floats(sim))))
    return json.dumps(points)


def _campaign() -> list[tuple[int, str, dict[str, list[float]]]]:
    """What the runs came to, digested every twelve runs: the number of runs stands for the tick."""
    points: list[tuple[int, str, dict[str, list[float]]]] = []
    campaign = Campaign(hosts=3_000, runs=48, seed=1)
    for first in range(0, campaign.runs, 12):
        report = campaign.run(first=first, stop=first + 12)
        told = repr((report.results.table.tolist(), list(map(str, report.violations))))
        points.append((first + 12, hashlib.sha256(told.encode()).hexdigest(), {}))
    return points


def _floats(sim: Simulation) -> Iterator[tuple[str, list[float]]]:
    """What the float layers hold, and what they make of it."""
    for layer in sim.layers:
        if layer.exact:
            continue
        for name, array in layer.capture().items():
            yield f"{layer.name}.{name}", np.asarray(array, dtype=float).reshape(-1).tolist()
        statistics = layer.statistics()
        for field in fields(statistics):
            value = getattr(statistics, field.name)
            if isinstance(value, int | float):
                yield f"{layer.name}.{field.name}", [float(value)]
