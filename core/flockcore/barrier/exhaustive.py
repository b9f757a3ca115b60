"""Everything that few hosts can do: all schedules, all states (spec barrier, section 14)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import permutations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from flockcore.barrier.codes import Gate, Host, Phase
from flockcore.errors import FlockError

if TYPE_CHECKING:
    from flockcore.barrier.arrays import Bytes, Indices, Integers, Mask
    from flockcore.barrier.policy import Policy
    from flockcore.barrier.traces import Traces

__all__ = [
    "Reachable",
    "all_orders",
    "all_words",
    "explore",
    "finals",
    "host_vectors",
    "lengths",
    "points",
    "table",
]

_MOST_ORDERS, _MOST_WORDS, _MOST_VECTORS = 8, 20, 12


def all_words(hosts: int) -> Mask:
    """Return every word of outcomes, True for a failure, shape (2**n, n)."""
    _check(hosts, _MOST_WORDS)
    numbers = np.arange(1 << hosts, dtype=np.int64)[:, None]
    words: Mask = (numbers >> np.arange(hosts, dtype=np.int64)) & 1 == 1
    return words


def all_orders(hosts: int) -> Indices:
    """Return every order of the hosts, shape (n!, n)."""
    _check(hosts, _MOST_ORDERS)
    return np.array(list(permutations(range(hosts))), dtype=np.intp)


def points(hosts: int) -> Integers:
    """Return every triple of counts, ready, failed, prov, shape (C(n + 2, 2), 3)."""
    ready, failed = np.divmod(np.arange((hosts + 1) ** 2, dtype=np.int64), hosts + 1)
    triples = np.stack([ready, failed, hosts - ready - failed], axis=1)
    found = triples[triples[:, 2] >= 0]
    assert len(found) == comb(hosts + 2, 2)
    return found


def finals(traces: Traces) -> dict[str, int]:
    """Return how many runs ended at each last point, written ``C:ready,failed,prov``."""
    last = traces.last
    rows = zip(*(one[last].tolist() for one in _columns(traces)), strict=True)
    return {
        f"{Phase(phase).letter}:{ready},{failed},{prov}": count
        for (phase, ready, failed, prov), count in sorted(Counter(rows).items())
    }


def lengths(traces: Traces) -> dict[int, int]:
    """Return how many traces have each number of points."""
    return dict(sorted(Counter(traces.length.tolist()).items()))


def host_vectors(hosts: int) -> Bytes:
    """Return every vector of host states, by number in base 3, shape (3**n, n).

    Host i is digit i, of weight 3**i.
    """
    _check(hosts, _MOST_VECTORS)
    numbers = np.arange(3**hosts, dtype=np.int64)[:, None]
    return (numbers // 3 ** np.arange(hosts, dtype=np.int64) % 3).astype(np.uint8)


def table(policy: Policy, hosts: int) -> Mask:
    """Return whether a policy holds on each of `host_vectors`, shape (3**n,)."""
    vectors = host_vectors(hosts)
    counts = (np.count_nonzero(vectors == one, axis=1) for one in (Host.READY, Host.FAILED))
    ready, failed = counts
    return np.asarray(policy.holds(ready, failed, hosts - ready - failed), dtype=np.bool_)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Reachable:
    """What the machine can reach from all PROVISIONING in IMAGING.

    A state is phase * 3**n + number of the host vector.

    Attributes:
        states: Reachable states, sorted, shape (S,).
        edges: Steps between them, from and to, shape (E, 2).
        by_phase: Number of states in each `Phase`, shape (4,).
        deadlocks: States that are not final and have no step, shape (D,).
    """

    states: Indices
    edges: Indices
    by_phase: Indices
    deadlocks: Indices


def explore(hosts: int, holds: Mask, *, gate: Gate = Gate.LAZY) -> Reachable:
    """Return what is reachable under any predicate over the host vectors (section 3).

    Args:
        hosts: Number of hosts, n.
        holds: Whether the predicate holds on each of `host_vectors`, shape (3**n,).
        gate: LAZY lets hosts report on when it holds, EAGER does not.
    """
    vectors = host_vectors(hosts)
    size = len(vectors)
    if holds.shape != (size,):
        raise FlockError(f"holds has shape {holds.shape}; ({size},) is needed")
    found = [np.zeros(1, dtype=np.intp)]
    edges = [np.zeros((0, 2), dtype=np.intp)]
    while len(found[-1]):
        steps = _steps(found[-1], vectors, holds, gate)
        edges.append(steps)
        # A step lowers 3 * rank + hosts left to report, but states can be met at two depths.
        found.append(np.setdiff1d(steps[:, 1], np.concatenate(found)))
    states = np.sort(np.concatenate(found))
    walked = np.concatenate(edges)
    waiting = states[states < Phase.CONVERGE * size]
    return Reachable(
        states=states,
        edges=walked,
        by_phase=np.bincount(states // size, minlength=len(Phase)).astype(np.intp),
        deadlocks=np.setdiff1d(waiting, walked[:, 0]),
    )


def _steps(states: Indices, vectors: Bytes, holds: Mask, gate: Gate) -> Indices:
    """Return every step from some states, shape (m, 2)."""
    size = len(vectors)
    phase, number = np.divmod(states, size)
    imaging, barrier = phase == Phase.IMAGING, phase == Phase.BARRIER
    met = holds[number]
    over = (vectors[number] != Host.PROVISIONING).all(axis=1)
    reporting = barrier & ~met if gate is Gate.EAGER else barrier
    row, host = np.nonzero((vectors[number] == Host.PROVISIONING) & reporting[:, None])
    weight = 3 ** host.astype(np.intp)
    pairs = [
        (states[imaging], number[imaging] + Phase.BARRIER * size),
        (states[row], states[row] + Host.READY * weight),
        (states[row], states[row] + Host.FAILED * weight),
        (states[barrier & met], number[barrier & met] + Phase.CONVERGE * size),
        (states[barrier & over & ~met], number[barrier & over & ~met] + Phase.FAILED * size),
    ]
    return np.concatenate([np.stack(pair, axis=1) for pair in pairs])


def _columns(traces: Traces) -> tuple[Integers, ...]:
    return traces.phase, traces.ready, traces.failed, traces.prov


def _check(hosts: int, most: int) -> None:
    if not 0 <= hosts <= most:
        raise FlockError(f"hosts is {hosts}; 0 to {most} can be enumerated")
