"""A small flock, for decks that no page shows."""

from flockcore.scenario import Scenario


def scenario(**changes):
    """Return a scenario of twelve nodes in which nothing happens."""
    return Scenario(**{"nodes": 12, "ticks": 300, "title": "Small", "seed": 2, **changes})


def failed(deck):
    """Return what the instruments of a deck that could not be drawn have raised."""
    return [slot.failure.trace for slot in deck._slots() if slot.failure]
