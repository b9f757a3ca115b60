"""Whom a node hears: the nearest peers by a metric of one's choice.

A node's reach is its `REACH` nearest peers, ties by index. It is fixed when the flock starts and
when a node joins or moves, so the cost of a flock is linear in its size.

An *edge* is the flat index ``observer * R + slot`` of one entry of the (N, R) tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.flock.fixed import isqrt
from flockcore.flock.nearest import MAX_COORDINATE, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    type Custom = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]

__all__ = ["REACH", "Hearers", "Metric", "Reach", "carry", "distance", "hearers", "reach"]

REACH = 63
"""Peers that a node tracks: the original's 64 slots without its own."""

MAX_DISTANCE = 2**31 - 1
MAX_CUSTOM_NODES = 20_000
_CHUNK = 2**20
_NONE = np.iinfo(np.int64).max


class Metric(IntEnum):
    """How far two nodes are apart (spec section 5)."""

    LOGICAL = 0
    PHYSICAL = 1
    LATENCY = 2
    CUSTOM = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """The peers that each node hears, nearest first.

    Attributes:
        peer: Node index by slot, -1 for an empty slot, shape (N, R), int32.
        distance: Distance by slot, 0 for an empty slot, shape (N, R).
    """

    peer: NDArray[np.int32]
    distance: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who hears whom, the other way round, in compressed rows.

    Attributes:
        start: Node y is heard over ``edge[start[y]:start[y + 1]]``, shape (N + 1,).
        edge: Edges, ascending for each node, shape (E,).
    """

    start: NDArray[np.intp]
    edge: NDArray[np.intp]


def distance(
    metric: Metric,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    positions: NDArray[np.int64] | None = None,
    latency_us: NDArray[np.int64] | None = None,
    custom: Custom | None = None,
) -> NDArray[np.int64]:
    """Distance of pairs of nodes (spec section 5; the exact floor root of Q11).

    Args:
        metric: LOGICAL is the difference of the indices; PHYSICAL the floor of the Euclidean
            distance; LATENCY the sum of the two nodes' access latencies, LOGICAL without them;
            CUSTOM what `custom` returns, LOGICAL without it.
        first: Node indices.
        second: Node indices, as many.
        positions: Integer coordinates, shape (N, 3).
        latency_us: Access latency of each node in microseconds, shape (N,).
        custom: Function of two int64 index arrays.

    Returns:
        Distances, one for each pair.
    """
    if metric is Metric.PHYSICAL and positions is not None:
        apart = positions[first] - positions[second]
        return isqrt((apart * apart).sum(axis=-1))
    if metric is Metric.LATENCY and latency_us is not None:
        both: NDArray[np.int64] = latency_us[first] + latency_us[second]
        return both
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if metric is Metric.CUSTOM and custom is not None:
        return np.asarray(custom(a, b), dtype=np.int64)
    return np.abs(a - b)


def reach(
    metric: Metric,
    positions: NDArray[np.int64],
    size: int = REACH,
    *,
    latency_us: NDArray[np.int64] | None = None,
    custom: Custom | None = None,
    present: NDArray[np.bool_] | None = None,
) -> Reach:
    """Find the nearest peers of every node.

    Args:
        metric: See `distance`.
        positions: Integer coordinates, shape (N, 3), absolute values up to `MAX_COORDINATE`.
        size: Slots R.
        latency_us: Access latency of each node, shape (N,), not negative.
        custom: Distance by two index arrays, from 0 to 2**31 - 1; for up to 20,000 nodes.
        present: Nodes to consider, shape (N,); the others reach nobody and nobody reaches them.

    Returns:
        The table, rows ascending by (distance, index).

    Raises:
        FlockError: An input is out of the range given above.
    """
    nodes = len(positions)
    members = np.arange(nodes) if present is None else np.flatnonzero(present)
    wanted = min(size, len(members) - 1)
    peer = np.full((nodes, size), -1, dtype=np.int32)
    table = np.zeros((nodes, size), dtype=np.int64)
    if wanted > 0:
        keys = _keys(metric, positions, members, wanted, latency_us, custom)
        peer[members, :wanted] = members[keys & 0xFFFFFFFF]
        table[members, :wanted] = keys >> 32
    return Reach(peer=peer, distance=table)


def _keys(
    metric: Metric,
    positions: NDArray[np.int64],
    members: NDArray[np.intp],
    size: int,
    latency_us: NDArray[np.int64] | None,
    custom: Custom | None,
) -> NDArray[np.int64]:
    """Sorted keys ``distance << 32 | rank`` of each member, shape (M, size)."""
    if metric is Metric.PHYSICAL:
        if np.abs(positions).max() > MAX_COORDINATE:
            raise FlockError(
                f"positions reach {int(np.abs(positions).max())}; "
                f"coordinates from -{MAX_COORDINATE} to {MAX_COORDINATE} are allowed"
            )
        return nearest(positions[members], size)
    if metric is Metric.LATENCY and latency_us is not None:
        return _by_latency(latency_us[members], size)
    if metric is Metric.CUSTOM and custom is not None:
        return _by_custom(custom, members, size)
    return _by_index(members, size)


def _by_index(members: NDArray[np.intp], size: int) -> NDArray[np.int64]:
    """The nearest by index lie within `size` ranks on either side."""
    count = len(members)
    steps = np.concatenate([np.arange(-size, 0), np.arange(1, size + 1)])
    keys = np.empty((count, size), dtype=np.int64)
    rows = max(1, _CHUNK // len(steps))
    for begin in range(0, count, rows):
        mine = np.arange(begin, min(begin + rows, count))[:, None]
        rank = mine + steps
        inside = (rank >= 0) & (rank < count)
        away = np.abs(members[rank.clip(0, count - 1)] - members[mine]).astype(np.int64)
        key = np.where(inside, away << 32 | rank, _NONE)
        keys[begin : begin + rows] = np.sort(key, axis=1)[:, :size]
    return keys


def _by_latency(latency: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """All have the same favourites: the ones with the least latency, except themselves."""
    if latency.min() < 0 or 2 * int(latency.max()) > MAX_DISTANCE:
        raise FlockError(
            f"latency_us ranges from {int(latency.min())} to {int(latency.max())}; "
            f"0 to {MAX_DISTANCE // 2} is allowed"
        )
    rank = np.arange(len(latency), dtype=np.int64)
    best = np.sort(latency << 32 | rank)[: size + 1]
    keys = np.where((best & 0xFFFFFFFF) == rank[:, None], _NONE, best + (latency[:, None] << 32))
    return np.sort(keys, axis=1)[:, :size]


def _by_custom(custom: Custom, members: NDArray[np.intp], size: int) -> NDArray[np.int64]:
    count = len(members)
    if count > MAX_CUSTOM_NODES:
        raise FlockError(
            f"a custom metric asks for every pair of {count} nodes; "
            f"up to {MAX_CUSTOM_NODES} nodes are allowed"
        )
    numbers = members.astype(np.int64)
    rank = np.arange(count, dtype=np.int64)
    keys = np.empty((count, size), dtype=np.int64)
    rows = max(1, _CHUNK // count)
    for begin in range(0, count, rows):
        mine = rank[begin : begin + rows]
        first = np.repeat(numbers[mine], count)
        away = np.asarray(custom(first, np.tile(numbers, len(mine))), dtype=np.int64)
        if away.min() < 0 or away.max() > MAX_DISTANCE:
            raise FlockError(
                f"the custom metric returned {int(away.min())} to {int(away.max())}; "
                f"0 to {MAX_DISTANCE} is allowed"
            )
        key = away.reshape(len(mine), count) << 32 | rank
        key[np.arange(len(mine)), mine] = _NONE
        keys[begin : begin + rows] = np.sort(np.partition(key, size - 1, axis=1)[:, :size], axis=1)
    return keys


def hearers(peer: NDArray[np.int32]) -> Hearers:
    """Turn a reach table round: for each node the edges of those who hear it.

    Args:
        peer: Node index by slot, -1 for an empty slot, shape (N, R).
    """
    flat = peer.reshape(-1)
    used = np.flatnonzero(flat >= 0)
    heard = flat[used].astype(np.int64)
    start = np.zeros(len(peer) + 1, dtype=np.intp)
    np.cumsum(np.bincount(heard.astype(np.intp), minlength=len(peer)), out=start[1:])
    # One sort of unique integers is several times faster than a stable argsort.
    order = np.sort(heard << 32 | used) & 0xFFFFFFFF
    return Hearers(start=start, edge=order.astype(np.intp))


def carry(
    before: NDArray[np.int32], after: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match the edges of two reach tables that join the same two nodes.

    Args:
        before: Peers by slot, shape (N, R).
        after: Peers by slot, shape (N, R).

    Returns:
        Edges of `before` and, in the same order, edges of `after`.
    """
    old, new = _pair_keys(before), _pair_keys(after)
    _, here, there = np.intersect1d(old[0], new[0], assume_unique=True, return_indices=True)
    return old[1][here], new[1][there]


def _pair_keys(peer: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    edge = np.flatnonzero(peer.reshape(-1) >= 0)
    observer = edge // peer.shape[1]
    return observer.astype(np.int64) << 32 | peer.reshape(-1)[edge], edge
