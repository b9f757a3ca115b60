"""How fast simulated time passes: a goal in ticks for each moment of wall time."""

from dataclasses import dataclass
from math import inf

__all__ = ["DEFAULT_SPEED", "SPEEDS", "Playback", "Speed"]


@dataclass(frozen=True, slots=True)
class Speed:
    """Simulated time per wall time.

    Attributes:
        label: what the transport shows.
        factor: simulated seconds per second; infinite for as fast as possible.
    """

    label: str
    factor: float


SPEEDS = (
    Speed("1/1000", 0.001),
    Speed("1/500", 0.002),
    Speed("1/200", 0.005),
    Speed("1/100", 0.01),
    Speed("1/50", 0.02),
    Speed("1/20", 0.05),
    Speed("1/10", 0.1),
    Speed("1/5", 0.2),
    Speed("1/2", 0.5),
    Speed("1 ×", 1.0),
    Speed("max", inf),
)
"""Speeds from slow motion to as fast as possible."""
DEFAULT_SPEED = SPEEDS[5]


class Playback:
    """Turns wall time into a goal.

    A run that cannot keep up does not pile up a debt: the clock is set anew at each goal that was
    missed, and `lagging` tells so.

    Args:
        tick_us: length of a tick in microseconds.
        speed: to begin with.

    Attributes:
        playing: whether simulated time passes.
        speed: how fast.
        lagging: whether the last goal was missed.
    """

    def __init__(self, tick_us: int, speed: Speed = DEFAULT_SPEED) -> None:
        self.tick_us = tick_us
        self.playing = False
        self.speed = speed
        self.lagging = False
        self._since: tuple[float, int] | None = None

    @property
    def unbounded(self) -> bool:
        """Whether time passes as fast as possible."""
        return self.speed.factor == inf

    def play(self) -> None:
        """Let time pass from now on."""
        self.playing, self._since, self.lagging = True, None, False

    def pause(self) -> None:
        """Stop time."""
        self.playing, self._since, self.lagging = False, None, False

    def change(self, speed: Speed) -> None:
        """Go on at another speed."""
        self.speed, self._since, self.lagging = speed, None, False

    def goal(self, seconds: float, tick: int) -> float:
        """Return the tick that should be shown now.

        Args:
            seconds: wall time on a monotonic clock.
            tick: ticks done.
        """
        if not self.playing:
            return tick
        if self.unbounded:
            return inf
        if self._since is None:
            self._since = (seconds, tick)
        began, first = self._since
        return first + int((seconds - began) * self.speed.factor * 1e6 / self.tick_us)

    def reached(self, seconds: float, tick: int, goal: float) -> None:
        """Tell what came of the goal.

        Args:
            seconds: wall time now.
            tick: ticks done.
            goal: as returned by `goal`.
        """
        if goal == inf or not self.playing:
            return
        self.lagging = tick < goal
        if self.lagging:
            self._since = (seconds, tick)
