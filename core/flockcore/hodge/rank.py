"""The rank of a matrix of whole numbers, by elimination modulo a prime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Integers

__all__ = ["PRIME", "rank"]

PRIME = 2**31 - 1
"""Products of two residues fit int64."""


def rank(matrix: Integers) -> int:
    """Return the rank modulo `PRIME` of whole numbers, shape (n, m).

    Rows that repeat or are 0 are dropped first: in a collapse they are most. Columns with few
    entries go first, each with its shortest row as pivot, so that little fills in.
    """
    work = np.unique(matrix % PRIME, axis=0)
    work = work[work.any(axis=1)]
    waiting = np.ones(len(work), dtype=np.bool_)
    found = 0
    for column in np.argsort(np.count_nonzero(work, axis=0), kind="stable"):
        hit = np.flatnonzero(waiting & (work[:, column] != 0))
        if not len(hit):
            continue
        pivot = hit[np.count_nonzero(work[hit], axis=1).argmin()]
        waiting[pivot] = False
        found += 1
        others = hit[hit != pivot]
        entries = np.flatnonzero(work[pivot])
        row = work[pivot, entries] * pow(int(work[pivot, column]), -1, PRIME) % PRIME
        change = np.multiply.outer(work[others, column], row)
        place = np.ix_(others, entries)
        work[place] = (work[place] - change) % PRIME
    return found
