"""What is really true of the nodes, whatever they believe of each other."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["World"]


@dataclass(slots=True, kw_only=True)
class World:
    """The nodes on their plane, as struct of arrays over N nodes.

    Attributes:
        position: integer coordinates, shape (N, 3); the cockpit shows the first two.
        crashed: stopped with its state lost, shape (N,).
        paused: stopped with its state kept, shape (N,).
        absent: not (or no longer) a member, shape (N,).
        every: the node runs each `every`-th tick; 1 is normal speed, shape (N,).
        incarnation: number of restarts, shape (N,).
    """

    position: NDArray[np.int64]
    crashed: NDArray[np.bool_]
    paused: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    every: NDArray[np.int64]
    incarnation: NDArray[np.int64]

    @classmethod
    def at(cls, position: NDArray[np.int64]) -> Self:
        """Return a world in which every node is up, at `position`, shape (N, 3)."""
        nodes = len(position)
        return cls(
            position=np.ascontiguousarray(position, dtype=np.int64),
            crashed=np.zeros(nodes, dtype=np.bool_),
            paused=np.zeros(nodes, dtype=np.bool_),
            absent=np.zeros(nodes, dtype=np.bool_),
            every=np.ones(nodes, dtype=np.int64),
            incarnation=np.zeros(nodes, dtype=np.int64),
        )

    @property
    def nodes(self) -> int:
        """Number of seats N, taken or not."""
        return len(self.position)

    @property
    def up(self) -> NDArray[np.bool_]:
        """Members that run, be it slowly, shape (N,)."""
        return ~(self.crashed | self.paused | self.absent)

    @property
    def reachable(self) -> NDArray[np.bool_]:
        """Members whose inbox takes messages: all that run and those that pause, shape (N,)."""
        return ~(self.crashed | self.absent)

    def ticking(self, tick: int) -> NDArray[np.bool_]:
        """Return which nodes run at `tick`, shape (N,)."""
        mask = self.up
        if self.every.max() > 1:
            mask &= tick % self.every == 0
        return mask
