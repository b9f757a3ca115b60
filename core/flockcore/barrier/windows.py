"""Stretches of time in which the gate's word was false, from the recorded series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flockcore.barrier.arrays import Indices

__all__ = ["Windows", "windows"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Windows:
    """Runs of ticks, in order.

    Attributes:
        start: First tick of each, shape (W,).
        end: First tick after each; one beyond the last recorded tick where it lasts, shape (W,).
        total_us: Length of all together in microseconds.
        longest_us: Length of the longest, 0 if there is none.
    """

    start: Indices
    end: Indices
    total_us: int
    longest_us: int

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.start)


def windows(column: ArrayLike, tick_us: int) -> Windows:
    """Return the runs of ones in a column of zeros and ones.

    Args:
        column: One value per tick from tick 0, such as ``barrier_window``.
        tick_us: Length of a tick in microseconds.
    """
    inside = np.asarray(column) != 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    start, end = edges[::2].astype(np.intp), edges[1::2].astype(np.intp)
    length = end - start
    return Windows(
        start=start,
        end=end,
        total_us=int(length.sum()) * tick_us,
        longest_us=int(length.max(initial=0)) * tick_us,
    )
