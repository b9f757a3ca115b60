"""Virtual time: integer microseconds, one clock for everything (anomaly Q20)."""

from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass(frozen=True, slots=True)
class Clock:
    """Maps ticks to microseconds.

    Attributes:
        tick_us: length of one simulation step.
        origin_us: time at tick 0.
    """

    tick_us: int = 1_000
    origin_us: int = 0

    def now(self, tick: int) -> int:
        """Return the time at `tick`."""
        return self.origin_us + tick * self.tick_us
