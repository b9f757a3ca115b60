"""Sensing from tick to tick, where only what changed is worked out again.

In a calm flock nobody's field changes, everybody publishes in every tick, and few beliefs change.
Then the averages of all but a few nodes are what they were a tick ago. The memory is derived: with
it or without it the gradients are the same, so it is neither captured nor digested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.flock.aggregation import average, gradient
from flockcore.flock.neighbourhood import Links, Sense, faded_fields, sense, weigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.flock.decay import DecayProfile
    from flockcore.flock.fields import FieldRegion
    from flockcore.kernel.network import Network

    type Indices = NDArray[np.intp]
    type Mask = NDArray[np.bool_]
    type Values = NDArray[np.int64]

__all__ = ["Sensing"]

_FEW = 8
"""If more than one node in so many has to be averaged anew, all of them are."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What averages are made of.

    Attributes:
        parts: the components that are not 0 throughout, shape (parts, 1).
        fields: what there is to sample of them, raw Q16.16, shape (parts, 2 N).
        own: the nodes' own, raw Q16.16, shape (parts, N).
        counted: weight of each neighbour, 0 where it does not count, raw Q16.16, shape (k, N).
    """

    parts: Indices
    fields: NDArray[np.float64]
    own: Values
    counted: Values

    @classmethod
    def of(cls, kept: _Kept, region: FieldRegion, now: int) -> _Table:
        """Return the table of what was sensed in the last tick."""
        parts, fresh, old, _ = faded_fields(region, kept.profile, kept.own, kept.published, now)
        links = kept.links
        weight, eligible = weigh(
            kept.belief, full=links.full, half=links.half, present=links.present
        )
        return cls(
            np.array(parts, dtype=np.intp)[:, None],
            np.concatenate([fresh, old], axis=1).astype(np.float64),
            kept.own[parts],
            weight * eligible,
        )


@dataclass(slots=True)
class _Kept:
    """What was sensed in the last tick, and from what.

    Attributes:
        links: the elected neighbours.
        version: their version.
        profile: how fields decay.
        own: own fields, shape (6, N).
        published: fields that were being published, shape (6, N).
        old: fields that had been published before, shape (6, N).
        age: of all of these, in microseconds.
        belief: health of each elected neighbour, shape (k, N).
        felt: what came of it.
        table: what averages are made of; None until it is asked for.
    """

    links: Links
    version: int
    profile: DecayProfile
    own: Values
    published: Values
    old: Values
    age: int
    belief: NDArray[np.uint8]
    felt: Sense
    table: _Table | None = None

    def holds(
        self,
        links: Links,
        profile: DecayProfile,
        fields: tuple[Values, Values, Values],
        age: int,
    ) -> bool:
        """Tell whether there is the same to sample, from the same neighbours, as before."""
        own, published, old = fields
        both = published is own and self.published is self.own
        return (
            self.links is links
            and self.version == links.version
            and self.age == age
            and self.profile is profile
            and bool((self.own == own).all())
            and (both or bool((self.published == published).all()))
            and bool((self.old == old).all())
        )


class Sensing:
    """Senses like `neighbourhood.sense`, and remembers the last tick."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def forget(self) -> None:
        """Average everybody's neighbours anew in the next tick."""
        self._kept = None

    def sense(
        self,
        *,
        links: Links,
        health: NDArray[np.uint8],
        region: FieldRegion,
        profile: DecayProfile,
        own: Values,
        published: Values,
        ticking: Mask,
        now: int,
        network: Network | None,
    ) -> Sense:
        """Aggregate every node's neighbourhood; arguments and result as of `sense`."""
        belief = health.reshape(-1).take(links.edge, mode="clip")
        divided = network is not None and network.divided
        age = None if divided or not ticking.all() else _common_age(region, profile, now)
        if age is not None and self._kept is not None:
            kept = self._kept
            if kept.holds(links, profile, (own, published, region.values), age):
                moved = (belief != kept.belief).reshape(-1).nonzero()[0]
                if _FEW * len(moved) <= len(ticking):
                    if len(moved):
                        _amend(kept, belief, moved, region, now)
                    return kept.felt
        felt = sense(
            links=links,
            belief=belief,
            region=region,
            profile=profile,
            own=own,
            published=published,
            ticking=ticking,
            now=now,
            network=network,
        )
        self._kept = None
        if age is not None:
            mine = own.copy()
            self._kept = _Kept(
                links=links,
                version=links.version,
                profile=profile,
                own=mine,
                published=_like(published, mine),
                old=_like(region.values, mine),
                age=age,
                belief=belief,
                felt=felt,
            )
        return felt


def _like(values: Values, known: Values) -> Values:
    """Return a copy of `values`, or what is known already where it is equal to it."""
    return known if bool((values == known).all()) else values.copy()


def _common_age(region: FieldRegion, profile: DecayProfile, now: int) -> int | None:
    """Return the age of all published fields; None unless all can be sampled and are of one age."""
    first = int(region.published_at[0])
    age = max(now - first, 0)
    whole = bool((region.published_at == first).all()) and bool(region.source.all())
    if not whole or age > profile.max_age_us or (region.counter & 1).any():
        return None
    return age


def _amend(
    kept: _Kept, belief: NDArray[np.uint8], moved: Indices, region: FieldRegion, now: int
) -> None:
    """Average the neighbours of those anew whose beliefs have changed.

    Args:
        kept: of the last tick, brought up to date.
        belief: health of each elected neighbour now, shape (k, N).
        moved: where it is another one, as places in the flat table.
        region: what was published before this tick.
        now: time of the tick in microseconds.
    """
    if kept.table is None:
        kept.table = _Table.of(kept, region, now)
    table, links = kept.table, kept.links
    weight, eligible = weigh(
        belief.reshape(-1).take(moved),
        full=links.full.reshape(-1).take(moved),
        half=links.half.reshape(-1).take(moved),
        present=links.present.reshape(-1).take(moved),
    )
    table.counted.reshape(-1)[moved] = weight * eligible
    # Somebody may be listed twice, and is then averaged twice.
    rows = moved % belief.shape[1]
    counted = table.counted.take(rows, axis=1)
    chosen = links.column.take(rows, axis=1)
    # The cast to integers truncates.
    found = average(table.fields, chosen, counted, counted.sum(axis=0)).astype(np.int64)
    kept.felt.gradient[table.parts, rows] = gradient(found, table.own.take(rows, axis=1))
    kept.belief = belief
