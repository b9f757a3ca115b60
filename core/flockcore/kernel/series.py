"""Per-tick columns of numbers: what the time plots draw.

A series is kept apart from checkpoints: seeking back moves the playhead and leaves the recorded
future readable, re-executed ticks overwrite what they recorded before, and a fork cuts it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from flockcore.errors import FlockError

__all__ = ["Series"]


class Series:
    """Growable columns of equal dtype, one value per tick from tick 0.

    Recording is O(1) amortised; a column is a contiguous view.
    """

    def __init__(
        self, names: Sequence[str], *, dtype: DTypeLike = np.int64, capacity: int = 1024
    ) -> None:
        """Start with no tick recorded.

        Args:
            names: Column names, in the order of a row; unique.
            dtype: Type of every column.
            capacity: Ticks for which room is made at first.

        Raises:
            FlockError: Two columns have one name.
        """
        self._index = {name: position for position, name in enumerate(names)}
        if len(self._index) != len(names):
            raise FlockError(f"series columns {list(names)}; allowed: each name once")
        self._block = np.zeros((len(names), max(1, capacity)), dtype=dtype)
        self._recorded = 0
        self.playhead = -1
        """Tick up to which `column` reads by default; -1 before the first."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the order of a row."""
        return tuple(self._index)

    @property
    def recorded_until(self) -> int:
        """Last tick recorded, at or beyond the playhead; -1 when there is none."""
        return self._recorded - 1

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._block.nbytes

    def record(self, tick: int, values: Mapping[str, int | float] | ArrayLike) -> None:
        """Write the row of one tick and moves the playhead there.

        A tick that is already recorded is overwritten: re-execution gives the same row.

        Args:
            tick: At most one beyond `recorded_until`.
            values: One number per column: by name, or a row in the order of `names`.

        Raises:
            FlockError: The tick would leave a gap, or a column is missing.
        """
        if not 0 <= tick <= self._recorded:
            raise FlockError(f"series tick {tick}; allowed: 0..{self._recorded}, without gaps")
        if tick == self._block.shape[1]:
            grown = np.zeros((self._block.shape[0], 2 * tick), dtype=self._block.dtype)
            grown[:, :tick] = self._block
            self._block = grown
        if isinstance(values, Mapping):
            by_name = values
            try:
                values = [by_name[name] for name in self._index]
            except KeyError:
                missing = sorted(self._index.keys() - by_name.keys())
                raise FlockError(f"series row at tick {tick} lacks {missing}") from None
        self._block[:, tick] = values
        self._recorded = max(self._recorded, tick + 1)
        self.playhead = tick

    def column(self, name: str, stop: int | None = None) -> NDArray[np.generic]:
        """Return one column as a read-only view of ticks 0..stop-1.

        Args:
            name: One of `names`.
            stop: First tick left out; by default one beyond the playhead. Pass
                `recorded_until + 1` for the recorded future as well.

        Returns:
            Shape (ticks,). Later recording of the same ticks shows through; growth does not.

        Raises:
            FlockError: There is no such column.
        """
        if name not in self._index:
            raise FlockError(f"series column {name!r}; allowed: {', '.join(self._index)}")
        end = self.playhead + 1 if stop is None else min(stop, self._recorded)
        view = self._block[self._index[name], : max(0, end)]
        view.flags.writeable = False
        return view

    def cut(self, tick: int) -> None:
        """Forget what is later than `tick` (a fork, or an injection in the past)."""
        self._recorded = min(self._recorded, max(0, tick + 1))
        self.playhead = min(self.playhead, self._recorded - 1)

    def copy(self) -> "Series":
        """Return an independent series with the same rows, for a branch."""
        other = Series(self.names, dtype=self._block.dtype, capacity=self._recorded + 64)
        other._block[:, : self._recorded] = self._block[:, : self._recorded]
        other._recorded = self._recorded
        other.playhead = self.playhead
        return other
