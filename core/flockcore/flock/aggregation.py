"""What a neighbourhood looks like from inside: weighted average and gradient (spec ekk, 4.5).

Neighbour tables are neighbour-major, shape (k, n), so that numpy's inner loop runs over the nodes.
The averages are computed in float64, but exactly: a value times a weight is a whole number of
2^-16 below 2^53, sums of at most 31 of them are exact in any order, and a quotient that is not
whole is further from the next whole number (1 / W, with the sum of weights W <= 31 * 2^16) than
float64 rounds (2^-22).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.flock import fixed
from flockcore.flock.codes import Health

__all__ = ["Aggregate", "aggregate", "average", "gradient", "neighbour_weight", "newest"]

# Nodes that are worked on at once: the temporaries of a block, k * 6 values a node, stay in the
# second-level cache.
_BLOCK = 1024
_FROM_RAW = 1.0 / fixed.ONE

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Values = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What n nodes sense of their neighbours.

    Attributes:
        values: weighted average of the neighbours' fields, raw Q16.16, 0 where nothing
            contributes, shape (6, n).
        degraded: at least one eligible neighbour, but no valid sample, shape (n,).
        total_weight: sum of the weights that contribute, raw Q16.16, shape (n,).
    """

    values: Values
    degraded: Mask
    total_weight: Values


def neighbour_weight(health: NDArray[np.integer], distance: Values) -> Values:
    """Return the weight of neighbours: 1 / (1 + distance / 256), half of it while SUSPECT.

    Args:
        health: `Health` of each neighbour; UNKNOWN and DEAD weigh nothing.
        distance: distance of each within int32, negative ones count as 0, shape of `health`.

    Returns:
        Raw Q16.16 within 0..ONE.
    """
    base = np.select([health == Health.ALIVE, health == Health.SUSPECT], [fixed.ONE, fixed.HALF], 0)
    return fixed.mul(base, fixed.div(fixed.ONE, fixed.ONE + np.maximum(distance, 0) * 256))


def aggregate(
    table: Values, valid: Mask, index: Indices, weight: Values, eligible: Mask
) -> Aggregate:
    """Average what nodes can sample of their neighbours.

    ``values = trunc(sum floor(sample weight / 2^16) 2^16 / sum weight)``, over the neighbours that
    are eligible and valid.

    Args:
        table: faded fields to choose from, raw Q16.16 within int32, shape (6, M).
        valid: which of them can be sampled, shape (M,).
        index: columns of `table` for k <= 31 neighbours of n nodes, shape (k, n).
        weight: weights, raw Q16.16 within 0..ONE, shape (k, n).
        eligible: which neighbours are ALIVE or SUSPECT, shape (k, n).

    Returns:
        Averages of all nodes.
    """
    nodes = index.shape[1]
    present = np.flatnonzero(np.bitwise_or.reduce(table, axis=1))
    fields = table[present].astype(np.float64)
    all_valid = bool(valid.all())
    values = np.zeros((len(table), nodes), dtype=np.int64)
    degraded = np.zeros(nodes, dtype=np.bool_)
    total = np.zeros(nodes, dtype=np.int64)
    for start in range(0, nodes, _BLOCK):
        block = slice(start, start + _BLOCK)
        chosen, counts = index[:, block], eligible[:, block]
        if not all_valid:
            counts = counts & valid.take(chosen, mode="clip")
            degraded[block] = eligible[:, block].any(axis=0) & ~counts.any(axis=0)
        counted = weight[:, block] * counts
        counted.sum(axis=0, out=total[block])
        # The cast to integers truncates.
        values[present, block] = average(fields, chosen, counted, total[block])
    return Aggregate(values, degraded, total)


def average(
    fields: NDArray[np.float64], chosen: Indices, counted: Values, total: Values
) -> NDArray[np.float64]:
    """Average some columns of a table; the whole part of the result is exact.

    Args:
        fields: faded fields to choose from, raw Q16.16, shape (p, M).
        chosen: columns for k <= 31 neighbours of n nodes, shape (k, n).
        counted: weight of each, 0 where it does not count, raw Q16.16, shape (k, n).
        total: sum of each node's weights, shape (n,).

    Returns:
        Raw Q16.16 with a fraction, 0 where nothing counts, shape (p, n).
    """
    samples = fields.take(chosen, axis=1, mode="clip")
    samples *= counted * _FROM_RAW
    np.floor(samples, out=samples)
    mean: NDArray[np.float64] = np.add.reduce(samples, axis=1)
    mean /= np.maximum(total, 1) * _FROM_RAW
    return mean


def newest(published_at: Values, valid: Mask, index: Indices, eligible: Mask) -> Values:
    """Return the latest publication among the neighbours that `aggregate` counts, else 0.

    Args:
        published_at: times in microseconds, 0 or more, shape (M,).
        valid: which of them can be sampled, shape (M,).
        index: columns for k neighbours of n nodes, shape (k, n).
        eligible: which neighbours are ALIVE or SUSPECT, shape (k, n).

    Returns:
        Times in microseconds, shape (n,).
    """
    times = np.where(eligible & valid[index], published_at[index], 0)
    return np.asarray(times.max(axis=0, initial=0), dtype=np.int64)


def gradient(aggregated: Values, own: Values) -> Values:
    """Return aggregate - own, saturated: positive where the neighbours are higher.

    Args:
        aggregated: averages of the neighbours, raw Q16.16, shape (6, n).
        own: own fields, not faded, shape (6, n).

    Returns:
        Raw Q16.16, shape (6, n).
    """
    return fixed.saturate(aggregated - own)
