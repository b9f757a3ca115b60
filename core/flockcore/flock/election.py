"""The first k of every row, by bits.

A row of electable slots, nearest first, is one 64-bit word, so the next elected slot is its lowest
set bit: k steps over whole columns elect any number of rows.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_SLOTS", "first_slots"]

MAX_SLOTS = 64

_WORD = np.dtype("<u8")


def first_slots(
    electable: NDArray[np.bool_], k: int, columns: int
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Find the first k set slots of each row.

    Args:
        electable: Slots from which to choose, shape (n, R), R up to `MAX_SLOTS`.
        k: How many, up to `columns`.
        columns: Width of the answer.

    Returns:
        Slots, ascending, then -1, shape (n, columns); and how many there are, shape (n,).
    """
    octets = np.zeros((len(electable), _WORD.itemsize), dtype=np.uint8)
    packed = np.packbits(electable, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    rest = octets.view(_WORD)[:, 0].astype(np.uint64)
    count = np.minimum(np.bitwise_count(rest), k).astype(np.int16)
    slots = np.full((len(electable), columns), -1, dtype=np.int16)
    one = np.uint64(1)
    for place in range(k):
        below = rest - one  # a word without bits wraps to all ones, which count as 64
        slots[:, place] = np.bitwise_count(~rest & below)
        rest &= below
    slots[slots == MAX_SLOTS] = -1
    return slots, count
