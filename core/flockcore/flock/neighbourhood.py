"""What each node senses of its elected neighbours: links, weights, aggregate and gradient.

Spec ekk, section 4.5 and phase 4 of section 9.2. Neighbour tables are stored neighbour-major,
shape (k, N), so that numpy runs over the nodes in its inner loop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.aggregation import aggregate, gradient, neighbour_weight
from flockcore.flock.codes import Health
from flockcore.flock.decay import DecayProfile
from flockcore.flock.fields import FIELD_COUNT, FieldRegion, decayed
from flockcore.flock.topology import Topology
from flockcore.kernel.network import Network

__all__ = ["Links", "Sense", "faded_fields", "sense", "weigh"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Links:
    """The elected neighbours as tables over (k, N), rebuilt when elections change.

    Attributes:
        edge: edge to each elected neighbour, 0 where there is none.
        peer: the neighbour, 0 where there is none.
        present: whether there is one.
        column: where the neighbour's field stands in a table of N fresh fields and N older ones:
            nodes with lower numbers tick first, so theirs is fresh (section 15).
        full: weight of the neighbour while ALIVE, raw Q16.16.
        half: weight of the neighbour while SUSPECT, raw Q16.16.
        version: how often they have been rebuilt.
    """

    edge: Indices
    peer: Indices
    present: Mask
    column: Indices
    full: NDArray[np.int64]
    half: NDArray[np.int64]
    version: int = 0

    @classmethod
    def of(cls, topology: Topology) -> "Links":
        """Return the links of all nodes."""
        nodes = len(topology.peer)
        shape = (topology.k, nodes)
        links = cls(
            np.zeros(shape, np.intp),
            np.zeros(shape, np.intp),
            np.zeros(shape, np.bool_),
            np.zeros(shape, np.intp),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        links.refresh(topology, np.arange(nodes, dtype=np.intp))
        return links

    def refresh(self, topology: Topology, rows: Indices) -> None:
        """Rebuild the links of `rows`, whose elected set changed."""
        self.version += 1
        reach = topology.peer.shape[1]
        slot = topology.elected[rows, : len(self.edge)].T.astype(np.intp)
        present = slot >= 0
        edge = np.where(present, rows * reach + slot, 0)
        distance = topology.distance.reshape(-1)[edge]
        self.edge[:, rows] = edge
        self.present[:, rows] = present
        peer = np.where(present, topology.peer.reshape(-1)[edge], 0)
        self.peer[:, rows] = peer
        self.column[:, rows] = peer + np.where(peer < rows, 0, len(topology.peer))
        self.full[:, rows] = neighbour_weight(np.full_like(distance, Health.ALIVE), distance)
        self.half[:, rows] = neighbour_weight(np.full_like(distance, Health.SUSPECT), distance)


@dataclass(frozen=True, slots=True)
class Sense:
    """What every node sensed in a tick.

    Attributes:
        gradient: aggregate minus own field, raw Q16.16, shape (6, N); valid where not degraded.
        degraded: eligible neighbours but no valid sample, shape (N,).
    """

    gradient: NDArray[np.int64]
    degraded: Mask


def sense(
    *,
    links: Links,
    belief: NDArray[np.uint8],
    region: FieldRegion,
    profile: DecayProfile,
    own: NDArray[np.int64],
    published: NDArray[np.int64],
    ticking: Mask,
    now: int,
    network: Network | None,
) -> Sense:
    """Aggregate every node's neighbourhood as if the nodes ticked one after another.

    A node reads the fields that lower-numbered nodes publish in this very tick, and those that the
    others published before (section 15), so one table holds both.

    Args:
        links: the elected neighbours.
        belief: health of each elected neighbour, shape (k, N).
        region: what was published before this tick.
        profile: how fields decay.
        own: own fields before this tick's slack, raw Q16.16, shape (6, N).
        published: fields that the ticking nodes publish in this tick, shape (6, N).
        ticking: nodes that run, shape (N,).
        now: time of the tick in microseconds.
        network: where sampling needs a live link; None lets every field be read by everyone.
    """
    nodes = own.shape[1]
    parts, fresh, old, readable = faded_fields(region, profile, own, published, now)
    if not ticking.all():
        fresh = np.where(ticking, fresh, old)
    table = np.concatenate([fresh, old], axis=1)
    valid = np.concatenate([readable | ticking, readable])
    index = links.column
    weight, eligible = weigh(belief, full=links.full, half=links.half, present=links.present)
    if network is not None and network.divided:
        # A field that cannot be reached is a failed sample: one more column, never valid.
        observer = np.broadcast_to(np.arange(nodes, dtype=np.intp), links.peer.shape)
        shut = ~network.open(links.peer, observer)
        table = np.concatenate([table, np.zeros((len(parts), 1), np.int64)], axis=1)
        valid = np.append(valid, False)
        index = np.where(shut, 2 * nodes, index)
    found = aggregate(table, valid, index, weight, eligible)
    slopes = np.zeros((FIELD_COUNT, nodes), dtype=np.int64)
    slopes[parts] = gradient(found.values, own[parts])
    return Sense(slopes, found.degraded)


def faded_fields(
    region: FieldRegion,
    profile: DecayProfile,
    own: NDArray[np.int64],
    published: NDArray[np.int64],
    now: int,
) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64], Mask]:
    """Return what there is to sample while everybody publishes.

    Args:
        region: what was published before this tick.
        profile: how fields decay.
        own: own fields, raw Q16.16, shape (6, N).
        published: fields published in this tick, shape (6, N).
        now: time of the tick in microseconds.

    Returns:
        The components that are not 0 throughout; what is being published of them and what is left
        of what was published before, raw Q16.16, shape (parts, N) each; and whether the latter can
        be sampled, shape (N,).
    """
    parts = _parts(region.values, own, published, profile)
    old, readable = decayed(region, now, profile, parts)
    return parts, published[parts], old, readable


def _parts(
    old: NDArray[np.int64],
    own: NDArray[np.int64],
    published: NDArray[np.int64],
    profile: DecayProfile,
) -> list[int]:
    """Return the components that are not 0 throughout: the gradients of the others are."""
    some = np.bitwise_or.reduce(old, axis=1)
    some |= np.bitwise_or.reduce(own, axis=1)
    some |= np.bitwise_or.reduce(published, axis=1)
    some[list(profile.never_zero)] = 1
    return np.flatnonzero(some).tolist()


def weigh(
    belief: NDArray[np.uint8],
    *,
    full: NDArray[np.int64],
    half: NDArray[np.int64],
    present: Mask,
) -> tuple[NDArray[np.int64], Mask]:
    """Return the weight of each link and whether its neighbour may be sampled.

    Args:
        belief: health of each neighbour, shape (k, n).
        full: weight of each while ALIVE, raw Q16.16, shape (k, n).
        half: weight of each while SUSPECT, raw Q16.16, shape (k, n).
        present: whether there is a neighbour, shape (k, n).

    Returns:
        Raw Q16.16, of no meaning where the mask is False; and the mask, shape (k, n) each.
    """
    well = belief == Health.ALIVE
    if well.all():
        return full, present
    return np.where(well, full, half), present & (well | (belief == Health.SUSPECT))
