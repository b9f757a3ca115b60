"""Where to cut a flock: the sides that the partition presets propose."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["around", "halves", "sectors", "sides_of"]

type Groups = tuple[tuple[int, ...], ...]
type Positions = NDArray[np.int64]


def halves(positions: Positions, members: NDArray[np.bool_]) -> Groups:
    """Return two sides of about equal size, cut across the flock's longer axis.

    The cut falls into the widest gap near the middle, so that clusters stay whole.

    Args:
        positions: places on the plane, shape (N, 2).
        members: nodes that are there, shape (N,).
    """
    nodes = np.flatnonzero(members)
    if len(nodes) < 2:
        return ()
    along = _axis(positions[nodes])
    order = np.argsort(along, kind="stable")
    first, last = max(len(nodes) * 2 // 5, 1), max(len(nodes) * 3 // 5, 2)
    gaps = np.diff(along[order])[first - 1 : last - 1]
    cut = first + int(np.argmax(gaps)) if len(gaps) else first
    return _groups([nodes[order[:cut]], nodes[order[cut:]]])


def sectors(positions: Positions, members: NDArray[np.bool_], sides: int = 3) -> Groups:
    """Return sides of equal size, sectors around the flock's middle; the widest gap parts two.

    Args:
        positions: places on the plane, shape (N, 2).
        members: nodes that are there, shape (N,).
        sides: how many.
    """
    nodes = np.flatnonzero(members)
    if len(nodes) < sides:
        return ()
    away = positions[nodes] - positions[nodes].mean(axis=0)
    angle = np.arctan2(away[:, 1], away[:, 0])
    order = np.argsort(angle, kind="stable")
    turned = angle[order]
    gaps = np.diff(turned, append=turned[0] + 2 * np.pi)
    order = np.roll(order, -(int(np.argmax(gaps)) + 1))
    return _groups(np.array_split(nodes[order], sides))


def around(nodes: Sequence[int], members: NDArray[np.bool_]) -> Groups:
    """Return one side for each of the nodes: each is alone, the others stay together."""
    alone = [node for node in nodes if members[node]]
    return tuple((node,) for node in alone) if len(alone) < np.count_nonzero(members) else ()


def sides_of(drawn: Sequence[Sequence[int]]) -> Groups:
    """Return sides drawn one after the other; a node belongs to the one drawn last."""
    taken: set[int] = set()
    sides: list[tuple[int, ...]] = []
    for nodes in reversed(drawn):
        fresh = tuple(sorted(set(nodes) - taken))
        taken.update(fresh)
        if fresh:
            sides.append(fresh)
    return tuple(reversed(sides))


def _axis(places: Positions) -> NDArray[np.float64]:
    """Places along their principal axis, from left to right."""
    away = places - places.mean(axis=0)
    (xx, xy), (_, yy) = away.T @ away
    angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    direction = np.array([np.cos(angle), np.sin(angle)])
    if direction[0] < 0:
        direction = -direction
    projected: NDArray[np.float64] = away @ direction
    return projected


def _groups(parts: Sequence[NDArray[np.intp]]) -> Groups:
    return tuple(tuple(sorted(part.tolist())) for part in parts)
