"""Whose turn it is: the map is drawn every frame, everything else four or five times a second."""

from collections.abc import Iterable
from math import inf

__all__ = ["PERIOD_S", "Turns"]

PERIOD_S = 0.22
"""Wall time between two turns of the same view."""
_LATEST_S = 2.0 * PERIOD_S
"""Who has waited as long has a turn in any case: where frames are few, each carries more."""


class Turns:
    """Deals out turns, so that no frame carries everything.

    Args:
        names: who takes turns.
        most: turns in one frame.
    """

    def __init__(self, names: Iterable[str], *, most: int = 2) -> None:
        self._last = dict.fromkeys(names, -inf)
        self._most = most

    def due(self, now: float) -> list[str]:
        """Return whose turn it is at a moment of wall time, who waited longest first."""
        waiting = [name for name, last in self._last.items() if now - last >= PERIOD_S]
        waiting.sort(key=self._last.__getitem__)
        late = sum(_LATEST_S <= now - self._last[name] < inf for name in waiting)
        chosen = waiting[: max(self._most, late)]
        self._last.update(dict.fromkeys(chosen, now))
        return chosen

    def all(self, now: float) -> list[str]:
        """Return everybody: for a moment at which nothing moves."""
        self._last = dict.fromkeys(self._last, now)
        return list(self._last)
