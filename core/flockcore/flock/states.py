"""Life cycle of a node's module, and the outcome of its tick (spec ekk, sections 9.2 and 9.7)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from flockcore.flock.codes import Code, ModuleState

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEXT_STATE", "merge", "next_states", "reform", "starts", "ticks"]

_S = ModuleState

NEXT_STATE = np.array(
    [
        # nothing elected, too few, enough
        [_S.INIT, _S.INIT, _S.INIT],
        [_S.DISCOVERING, _S.DISCOVERING, _S.ACTIVE],
        [_S.ISOLATED, _S.DEGRADED, _S.ACTIVE],
        [_S.ISOLATED, _S.DEGRADED, _S.ACTIVE],
        [_S.ISOLATED, _S.DEGRADED, _S.ACTIVE],
        [_S.ISOLATED, _S.DEGRADED, _S.ACTIVE],
        [_S.SHUTDOWN, _S.SHUTDOWN, _S.SHUTDOWN],
    ],
    dtype=np.uint8,
)
"""State after a tick, by state before and by how many neighbours are elected, shape (7, 3)."""
_COUNTS = 32
"""More neighbours than anybody may elect."""


def next_states(
    states: NDArray[np.uint8], elected: NDArray[np.integer], min_neighbours: int
) -> NDArray[np.uint8]:
    """Phase 8 of a tick: the module states by the table of section 9.7.

    Args:
        states: `ModuleState` of each node, shape (n,).
        elected: Number of elected neighbours, shape (n,).
        min_neighbours: Number that is enough.

    Returns:
        New states, shape (n,).
    """
    table = _by_count(min_neighbours)
    return table.reshape(-1).take(states * np.uint8(_COUNTS) + elected, mode="clip")


@cache
def _by_count(min_neighbours: int) -> NDArray[np.uint8]:
    """Return `NEXT_STATE` by the number of elected neighbours itself, shape (7, `_COUNTS`)."""
    count = np.arange(_COUNTS)
    enough = count >= min_neighbours
    return NEXT_STATE[:, enough.astype(np.intp) + (enough | (count > 0))]


def reform(states: NDArray[np.uint8], died: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Phase 2 of a tick: which nodes reform because a tracked peer died, elected or not (Q14).

    The state REFORMING lasts until phase 8 of the same tick, so no observer between ticks sees it:
    it is reported as an event instead.

    Args:
        states: `ModuleState` of each node, shape (n,).
        died: Nodes that declared a peer DEAD in this tick, shape (n,).

    Returns:
        Nodes that pass through REFORMING, shape (n,).
    """
    reforming: NDArray[np.bool_] = died & ((states == _S.ACTIVE) | (states == _S.DEGRADED))
    return reforming


def starts(states: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Start modules: INIT becomes DISCOVERING, every other state is BUSY.

    Args:
        states: `ModuleState` of each node, shape (n,).

    Returns:
        Codes and new states, shape (n,).
    """
    idle = states == _S.INIT
    codes = np.where(idle, Code.OK, Code.BUSY).astype(np.int8)
    return codes, np.where(idle, np.uint8(_S.DISCOVERING), states)


def ticks(states: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whose tick does anything: all but INIT and SHUTDOWN, shape (n,)."""
    active: NDArray[np.bool_] = (states != _S.INIT) & (states != _S.SHUTDOWN)
    return active


def merge(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.int8]:
    """Merge outcomes of two phases of one tick (section 9.2).

    OK never lowers an outcome, DEGRADED replaces OK only, a hard error replaces anything but an
    earlier hard error, because the tick stops there.

    Args:
        first: `Code` of each node so far, shape (n,).
        second: `Code` of the next phase, shape (n,).

    Returns:
        Merged codes, shape (n,).
    """
    hard = (first != Code.OK) & (first != Code.DEGRADED)
    return np.where(hard | (second == Code.OK), first, second)
