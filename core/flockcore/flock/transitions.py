"""Changes of health, as the failure detector reports them (spec ekk, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flockcore.flock.codes import Health

__all__ = ["NO_TRANSITIONS", "Transitions", "join_transitions"]


@dataclass(frozen=True, slots=True)
class Transitions:
    """Changes of health, ascending by edge.

    Attributes:
        edge: Edges, shape (n,). A peer that was ALIVE and is DEAD occurs twice, first as suspect.
        before: Health before, shape (n,).
        after: Health after, shape (n,).
        changed: Number of edges whose health changed, each counted once.
    """

    edge: NDArray[np.intp]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    changed: int

    def into(self, health: Health) -> NDArray[np.intp]:
        """Edges that have come to `health`."""
        edges: NDArray[np.intp] = self.edge[self.after == health]
        return edges


def join_transitions(moves: Sequence[Transitions]) -> Transitions:
    """Return some changes one after the other; ascending only if they are."""
    return Transitions(
        np.concatenate([one.edge for one in moves]),
        np.concatenate([one.before for one in moves]),
        np.concatenate([one.after for one in moves]),
        sum(one.changed for one in moves),
    )


NO_TRANSITIONS = Transitions(
    edge=np.zeros(0, dtype=np.intp),
    before=np.zeros(0, dtype=np.uint8),
    after=np.zeros(0, dtype=np.uint8),
    changed=0,
)
