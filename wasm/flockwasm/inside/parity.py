"""Checkpoints of a run, to be compared with the same run on another machine."""

import json
from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["EVERY", "LONGEST", "recorded"]

EVERY = 100
"""Ticks between two checkpoints."""
LONGEST = 2_000
"""Most ticks of a scenario."""


def recorded(name: str, *, every: int = EVERY, longest: int = LONGEST) -> str:
    """Run a scenario, and return its checkpoints as JSON.

    Args:
        name: of the scenario.
        every: ticks between two checkpoints.
        longest: most ticks.

    Returns:
        A list of [tick, digest of the exact layers, float arrays of the others by name].
    """
    sim = Simulation(Scenario.load(name))
    ticks = min(sim.scenario.ticks, longest)
    points: list[tuple[int, str, dict[str, list[float]]]] = []
    while sim.tick < ticks:
        sim.run(min(every, ticks - sim.tick))
        points.append((sim.tick, sim.digest(), dict(_floats(sim))))
    return json.dumps(points)


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
