"""Growable columns of events: many rows a tick or none, in order of ticks."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["Log"]

_FIRST_CAPACITY = 256


class Log:
    """Rows of equal columns, each with the tick at which it was written.

    Like a series it is no part of the state: seeking back leaves the recorded future readable,
    re-executed ticks write nothing again, and a fork cuts it.

    Args:
        columns: dtype by column name; `tick` is added.
        limit: rows kept; the oldest half goes when it is reached, and `first_tick` says so.

    Attributes:
        closed: last tick that is complete, -1 before the first.
        first_tick: first tick whose rows are all kept.
    """

    def __init__(self, columns: dict[str, DTypeLike], *, limit: int = 4_000_000) -> None:
        self._columns = {
            name: np.zeros(_FIRST_CAPACITY, dtype=dtype)
            for name, dtype in {"tick": np.int64, **columns}.items()
        }
        self._limit = limit
        self._rows = 0
        self.closed = -1
        self.first_tick = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, tick: int, count: int, **columns: ArrayLike) -> None:
        """Write `count` rows at `tick`, unless that tick is complete already.

        Args:
            tick: at or after the tick of the last row.
            count: number of rows.
            columns: a scalar or `count` values per column.
        """
        if tick <= self.closed or count == 0:
            return
        stop = self._rows + count
        if stop > self._limit:
            self._drop_oldest_half()
            stop = self._rows + count
        self._reserve(stop)
        for name, value in {"tick": tick, **columns}.items():
            self._columns[name][self._rows : stop] = value
        self._rows = stop

    def close(self, tick: int) -> None:
        """Declare `tick` complete."""
        self.closed = max(self.closed, tick)

    def cut(self, tick: int) -> None:
        """Forget what was written after `tick`."""
        self._rows = int(np.searchsorted(self._columns["tick"][: self._rows], tick, "right"))
        self.closed = min(self.closed, tick)

    def rows(self, start: int = 0, stop: int | None = None) -> dict[str, NDArray[Any]]:
        """Return the rows of the ticks in [start, stop) as read-only views, `tick` among them."""
        tick = self._columns["tick"][: self._rows]
        low = int(np.searchsorted(tick, start, "left"))
        high = self._rows if stop is None else int(np.searchsorted(tick, stop, "left"))
        views = {}
        for name, column in self._columns.items():
            views[name] = column[low:high]
            views[name].flags.writeable = False
        return views

    def copy(self) -> Self:
        """Return an independent log with the same rows."""
        other = type(self)({}, limit=self._limit)
        other._columns = {name: column.copy() for name, column in self._columns.items()}
        other._rows, other.closed, other.first_tick = self._rows, self.closed, self.first_tick
        return other

    def _reserve(self, rows: int) -> None:
        capacity = len(self._columns["tick"])
        if rows <= capacity:
            return
        grown = max(rows, 2 * capacity)
        for name, column in self._columns.items():
            larger = np.zeros((grown, *column.shape[1:]), dtype=column.dtype)
            larger[: self._rows] = column[: self._rows]
            self._columns[name] = larger

    def _drop_oldest_half(self) -> None:
        tick = self._columns["tick"][: self._rows]
        middle = tick[self._rows // 2]
        start = int(np.searchsorted(tick, middle, "right"))
        self.first_tick = int(middle) + 1
        for name, column in self._columns.items():
            self._columns[name] = column[start:].copy()
        self._rows -= start
