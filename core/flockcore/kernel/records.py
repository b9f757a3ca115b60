"""What a run leaves behind beside its state: columns per tick, logs of rows, a trail of digests.

Records belong to a branch. Seeking back moves the playhead and leaves the recorded future readable;
an injection in the past and a fork cut what lies beyond.
"""

from collections.abc import Mapping, Sequence

from numpy.typing import DTypeLike

from flockcore.kernel.digest import Trail
from flockcore.kernel.log import Log
from flockcore.kernel.series import Series

__all__ = ["Records"]


class Records:
    """The records of one branch.

    Args:
        columns: names of the per-tick statistics.
        logs: columns of each log, as dtype by name.

    Attributes:
        series: one integer per column and tick.
        logs: rows by log name.
        trail: digests at even ticks.
    """

    def __init__(self, columns: Sequence[str], logs: Mapping[str, dict[str, DTypeLike]]) -> None:
        self.series = Series(columns)
        self.logs = {name: Log(dtypes) for name, dtypes in logs.items()}
        self.trail = Trail()

    def cut(self, tick: int) -> None:
        """Forget what lies beyond `tick`."""
        self.series.cut(tick)
        self.trail.cut(tick)
        for log in self.logs.values():
            log.cut(tick)

    def close(self, tick: int) -> None:
        """Declare `tick` complete in every log."""
        for log in self.logs.values():
            log.close(tick)

    def copy(self) -> "Records":
        """Return independent records with the same content."""
        other = Records((), {})
        other.series = self.series.copy()
        other.logs = {name: log.copy() for name, log in self.logs.items()}
        other.trail = self.trail.copy()
        return other
