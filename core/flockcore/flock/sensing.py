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
        parts: the components that are not 0 throughout, once they are asked for.
        fields: what there was to sample of them, shape (parts, 2 N); None until asked for.
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
    parts: NDArray[np.intp] | None = None
    fields: NDArray[np.float64] | None = None

    def holds(
        self,
        links: Links,
        profile: DecayProfile,
        fields: tuple[Values, Values, Values],
        age: int,
    ) -> bool:
        """Tell whether there is the same to sample, from the same neighbours, as before."""
        same = self.links is links and self.version == links.version and self.age == age
        before = (self.own, self.published, self.old)
        return (
            same
            and self.profile is profile
            and all(bool((a == b).all()) for a, b in zip(before, fields, strict=True))
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
        """Aggregate every node's neighbourhood; arguments and result as of `sense`.

        `own` is kept, and must not be changed afterwards.
        """
        belief = health.reshape(-1).take(links.edge, mode="clip")
        divided = network is not None and network.divided
        age = None if divided or not ticking.all() else _common_age(region, profile, now)
        if age is not None and self._kept is not None:
            kept = self._kept
            if kept.holds(links, profile, (own, published, region.values), age):
                rows = (belief != kept.belief).any(axis=0).nonzero()[0]
                if _FEW * len(rows) <= len(ticking):
                    if len(rows):
                        _amend(kept, belief, rows, region, now)
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
            self._kept = _Kept(
                links=links,
                version=links.version,
                profile=profile,
                own=own,
                published=published.copy(),
                old=region.values.copy(),
                age=age,
                belief=belief,
                felt=felt,
            )
        return felt


def _common_age(region: FieldRegion, profile: DecayProfile, now: int) -> int | None:
    """Return the age of all published fields; None unless all can be sampled and are of one age."""
    first = int(region.published_at[0])
    age = max(now - first, 0)
    whole = bool((region.published_at == first).all()) and bool(region.source.all())
    if not whole or age > profile.max_age_us or (region.counter & 1).any():
        return None
    return age


def _amend(
    kept: _Kept, belief: NDArray[np.uint8], rows: Indices, region: FieldRegion, now: int
) -> None:
    """Average the neighbours of `rows` anew, whose beliefs have changed."""
    if kept.fields is None or kept.parts is None:
        parts, fresh, old, _ = faded_fields(region, kept.profile, kept.own, kept.published, now)
        kept.parts = np.array(parts, dtype=np.intp)
        kept.fields = np.concatenate([fresh, old], axis=1).astype(np.float64)
    links, near = kept.links, belief.take(rows, axis=1)
    weight, eligible = weigh(
        near,
        full=links.full.take(rows, axis=1),
        half=links.half.take(rows, axis=1),
        present=links.present.take(rows, axis=1),
    )
    counted = weight * eligible
    # The cast to integers truncates.
    found = average(
        kept.fields, links.column.take(rows, axis=1), counted, counted.sum(axis=0)
    ).astype(np.int64)
    place = kept.parts[:, None], rows
    kept.felt.gradient[place] = gradient(found, kept.own[place])
    kept.belief = belief
