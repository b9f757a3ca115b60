"""Where the squares of a waffle stand, and what each says: one square a host, in seat order."""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil

import numpy as np
from numpy.typing import NDArray

from flockcore.barrier.codes import Host

__all__ = ["Grid", "Square", "fit", "squares"]

_GAP = 0.18
"""Share of the pitch between two squares."""
_EDGE_PX = 3.0
"""What is left free all around, for the outline of a square at the edge that is selected."""
_CHARACTER_PX = 7.0
_LABEL_PX = 6.0
"""Room that a square's label needs: for each character, and around them."""


class Square(IntEnum):
    """What a square says."""

    READY = 0
    """READY to the gate, and really up."""
    FALSE = 1
    """READY to the gate, but really down or imaging anew."""
    FAILED = 2
    """FAILED to the gate."""
    DUE = 3
    """PROVISIONING to the gate, and really so."""
    HELD = 4
    """PROVISIONING to the gate, but really done: the gate has not counted it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of squares, in pixels from the upper left corner.

    Attributes:
        columns: squares in a row.
        rows: rows.
        pitch: from one square's middle to the next one's.
    """

    columns: int
    rows: int
    pitch: float

    @property
    def side(self) -> float:
        """Side of a square."""
        return max(self.pitch - max(round(self.pitch * _GAP), 1), 1.0)

    def places(self, hosts: int) -> NDArray[np.float64]:
        """Return the middle of each host's square, x and y downwards, shape (hosts, 2)."""
        number = np.arange(hosts)
        x = (number % self.columns) * self.pitch + self.side / 2 + _EDGE_PX
        y = (number // self.columns) * self.pitch + self.side / 2 + _EDGE_PX
        return np.stack([x, y], axis=1)

    def at(self, x: float, y: float, hosts: int) -> int | None:
        """Return the host whose square is at a place, or None."""
        x, y = x - _EDGE_PX, y - _EDGE_PX
        column, row = int(x // self.pitch), int(y // self.pitch)
        host = row * self.columns + column
        inside = x >= 0 and y >= 0 and column < self.columns
        return host if inside and host < hosts else None

    def labelled(self, hosts: int) -> bool:
        """Whether a label fits into a square."""
        return self.side >= len(str(hosts - 1)) * _CHARACTER_PX + _LABEL_PX


def fit(hosts: int, width: float, height: float, *, most: float) -> Grid:
    """Return the grid with the largest squares that has room for all hosts.

    Args:
        hosts: 1 or more.
        width: room in pixels.
        height: likewise.
        most: largest pitch.
    """
    width, height = max(width - 2 * _EDGE_PX, 1.0), max(height - 2 * _EDGE_PX, 1.0)
    best = Grid(hosts, 1, 0.0)
    for columns in range(1, hosts + 1):
        rows = ceil(hosts / columns)
        pitch = min(width / columns, height / rows, most)
        pitch = float(int(pitch)) if pitch >= 4 else pitch
        # Of equal squares the widest grid: it fills the room from above.
        if pitch >= best.pitch and columns * pitch <= width + 1e-9:
            best = Grid(columns, rows, pitch)
        if pitch < most and width / columns < best.pitch:
            break
    return best


def squares(
    word: NDArray[np.uint8], truth: NDArray[np.uint8], false: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return what each host's square says.

    Args:
        word: `Host` as the gate knows it, shape (N,).
        truth: `Host` as it is, shape (N,).
        false: whether a host is READY to the gate alone, shape (N,).
    """
    found = np.full(len(word), Square.DUE, dtype=np.uint8)
    found[(word == Host.PROVISIONING) & (truth != Host.PROVISIONING)] = Square.HELD
    found[word == Host.READY] = Square.READY
    found[false] = Square.FALSE
    found[word == Host.FAILED] = Square.FAILED
    return found
