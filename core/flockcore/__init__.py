"""Simulation core of flockpit: numpy and the standard library only."""

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

__all__ = ["FlockError", "Scenario", "Simulation"]
