"""Published fields: a region of slots, one per node (spec ekk, section 4).

A node writes its own slot and reads its neighbours'. What it reads fades with age. Each slot has a
write counter, odd while a write is in progress; the simulation runs writers and readers in turn, so
an odd counter means a writer that stopped half-way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.flock import fixed
from flockcore.flock.codes import Code
from flockcore.flock.decay import FIELD_COUNT, Component, DecayProfile, fade

__all__ = [
    "FIELD_COUNT",
    "Component",
    "FieldRegion",
    "Samples",
    "add",
    "collect",
    "decayed",
    "lerp",
    "publish",
    "sample",
    "scale",
    "valid",
]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Values = NDArray[np.int64]


@dataclass(slots=True)
class FieldRegion:
    """The slots of all nodes.

    Attributes:
        values: components as published, raw Q16.16, shape (6, N).
        published_at: time of publication in microseconds, shape (N,).
        source: id of the publisher (index + 1), 0 while the slot is empty, shape (N,).
        sequence: number that the publisher gave, modulo 256, shape (N,).
        counter: grows by 2 with each publication and collection, odd during a write, shape (N,).
    """

    values: Values
    published_at: Values
    source: Values
    sequence: NDArray[np.uint8]
    counter: NDArray[np.uint32]

    @classmethod
    def empty(cls, nodes: int) -> "FieldRegion":
        """Return a region of empty slots."""
        return cls(
            np.zeros((FIELD_COUNT, nodes), dtype=np.int64),
            np.zeros(nodes, dtype=np.int64),
            np.zeros(nodes, dtype=np.int64),
            np.zeros(nodes, dtype=np.uint8),
            np.zeros(nodes, dtype=np.uint32),
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """What reading n slots gave.

    Attributes:
        status: `Code` of each: OK, INVALID_ARG, BUSY, NOT_FOUND or FIELD_EXPIRED, shape (n,).
        values: faded components, raw Q16.16, the profile's defaults unless OK, shape (6, n).
        published_at: time of publication, 0 unless OK, shape (n,).
        source: id of the publisher, 0 unless OK, shape (n,).
        sequence: the publisher's number, 0 unless OK, shape (n,).
    """

    status: NDArray[np.int8]
    values: Values
    published_at: Values
    source: Values
    sequence: NDArray[np.uint8]


def publish(
    region: FieldRegion,
    rows: Indices | None,
    values: Values,
    sequence: int | NDArray[np.uint8],
    now: int,
) -> NDArray[np.int8]:
    """Write the fields of some nodes into their slots (spec section 4.2).

    Args:
        region: the region, changed in place.
        rows: different nodes, shape (n,); None means all N in order.
        values: components, raw Q16.16 within int32, never clamped, shape (6, n).
        sequence: the publishers' own numbers.
        now: time in microseconds.

    Returns:
        OK or, for a node without a slot, INVALID_ARG, shape (n,).
    """
    where: slice | Indices = slice(None)
    status = np.zeros(len(region.source), dtype=np.int8)
    if rows is not None:
        status = _slot_status(region, rows)
        if status.any():
            able = status == Code.OK
            rows, values = rows[able], values[:, able]
            sequence = sequence[able] if isinstance(sequence, np.ndarray) else sequence
        where = rows
    region.values[:, where] = values
    region.published_at[where] = now
    region.source[where] = (np.arange(len(region.source)) if rows is None else rows) + 1
    region.sequence[where] = sequence
    region.counter[where] += np.uint32(2)
    return status


def _slot_status(region: FieldRegion, rows: Indices) -> NDArray[np.int8]:
    if not len(rows) or (rows.min() >= 0 and rows.max() < len(region.source)):
        return np.zeros(len(rows), dtype=np.int8)
    inside = (rows >= 0) & (rows < len(region.source))
    return np.where(inside, Code.OK, Code.INVALID_ARG).astype(np.int8)


def sample(region: FieldRegion, rows: Indices, now: int, profile: DecayProfile) -> Samples:
    """Read some slots (spec section 4.3).

    A slot published in the future counts as published now (Q20). Nobody writes during the call, so
    trying again on BUSY, as the original does, would change nothing.

    Args:
        region: the region.
        rows: nodes to read, repeats allowed, shape (n,).
        now: time in microseconds.
        profile: how fields fade and from which age on they are refused.

    Returns:
        One sample per row.
    """
    status = _slot_status(region, rows)
    slot = np.where(status == Code.OK, rows, 0)
    age = np.maximum(now - region.published_at[slot], 0)
    # The first rule of the table that matches wins, so the last one is written first.
    found = np.where(age > profile.max_age_us, np.int8(Code.FIELD_EXPIRED), np.int8(Code.OK))
    found[region.source[slot] == 0] = Code.NOT_FOUND
    found[region.counter[slot] & 1 == 1] = Code.BUSY
    found[status != Code.OK] = Code.INVALID_ARG
    good = found == Code.OK
    faded = fade(region.values[:, slot], age, profile)
    return Samples(
        status=found,
        values=np.where(good, faded, profile.defaults),
        published_at=np.where(good, region.published_at[slot], 0),
        source=np.where(good, region.source[slot], 0),
        sequence=np.where(good, region.sequence[slot], np.uint8(0)),
    )


def decayed(
    region: FieldRegion,
    now: int,
    profile: DecayProfile,
    parts: Sequence[int] = tuple(range(FIELD_COUNT)),
) -> tuple[Values, Mask]:
    """Read some components (all by default) of all slots at once, for a neighbour table.

    Returns:
        Faded components, raw Q16.16, shape (parts, N), meaningless where the mask says so; and
        whether a sample of the slot would be OK, shape (N,).
    """
    readable = (region.source > 0) & (region.counter & 1 == 0)
    values = region.values if len(parts) == FIELD_COUNT else region.values[list(parts)]
    age = np.maximum(now - region.published_at, 0)
    if not len(age) or (age != age[0]).any():
        readable &= age <= profile.max_age_us
        return fade(values, age, profile, parts), readable
    # Nodes that all tick publish at one time: one factor serves them all.
    if age[0] > profile.max_age_us:
        readable[:] = False
    return fade(values, int(age[0]), profile, parts), readable


def collect(region: FieldRegion, max_age_us: int, now: int) -> int:
    """Empty the slots that are too old, except those being written (spec section 4.4).

    Args:
        region: the region, changed in place.
        max_age_us: age in microseconds that is still kept.
        now: time in microseconds.

    Returns:
        Number of slots emptied.
    """
    old = (now - region.published_at > max_age_us) & (region.source > 0)
    old &= region.counter & 1 == 0
    gone = np.flatnonzero(old)
    region.values[:, gone] = 0
    region.published_at[gone] = 0
    region.source[gone] = 0
    region.sequence[gone] = 0
    region.counter[gone] += np.uint32(2)
    return len(gone)


def valid(region: FieldRegion, max_age_us: int, now: int) -> Mask:
    """Return which slots hold a field younger than `max_age_us`, shape (N,) (spec section 4.6)."""
    return (region.source > 0) & (now - region.published_at < max_age_us)


def add(a: Values, b: Values) -> Values:
    """Return the saturated sum of two fields (spec section 4.6)."""
    return fixed.saturate(a + b)


def scale(values: Values, by: int | Values) -> Values:
    """Return a field times a Q16.16 factor, saturated (spec section 4.6)."""
    return fixed.mul(values, by)


def lerp(a: Values, b: Values, t: int) -> Values:
    """Return the mix of two fields, t = 0 for `a` and ONE for `b` (spec section 4.6).

    Both products are rounded down, so that the mix of equal fields may be one raw unit lower.
    """
    share = min(max(t, 0), fixed.ONE)
    return fixed.saturate(fixed.mul(a, fixed.ONE - share) + fixed.mul(b, share))
