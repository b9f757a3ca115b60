"""Simulation core of flockpit: numpy and the standard library only."""
