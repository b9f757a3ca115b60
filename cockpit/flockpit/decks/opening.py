"""Which decks there are, which views of a tour each has, and which a scenario opens."""

from flockcore.scenario import Scenario, TourStop

__all__ = ["DECKS", "deck_for", "deck_of", "first_tick"]

DECKS: dict[str, tuple[str, ...]] = {
    "Flock": ("map",),
    "Curl": ("curl",),
    "Barrier": ("barrier", "lanes"),
}
"""Views that are a deck's own, by its name, in the order of the tabs."""
_FIRST = next(iter(DECKS))
_EVERYWHERE = "verdicts"
"""The view that every deck has."""


def deck_of(stop: TourStop) -> str | None:
    """Return the deck that a stop of a tour looks at; None when any will do."""
    if stop.view == _EVERYWHERE:
        return None
    return next((name for name, views in DECKS.items() if stop.view in views), _FIRST)


def deck_for(scenario: Scenario) -> str:
    """Return the deck that a scenario is for: the one that its tour looks at most."""
    looks = [deck_of(stop) for stop in scenario.tour]
    return max(DECKS, key=looks.count)


def first_tick(scenario: Scenario) -> int:
    """Return the tick at which a scenario is opened.

    It is that of the first stop at the main view of the scenario's deck after something happened.
    """
    views = DECKS[deck_for(scenario)]
    first = min((fault.start or 1 for fault in scenario.faults), default=0)
    stops = [stop.tick for stop in scenario.tour if stop.view in views and stop.tick > first]
    return min(stops, default=0)
