"""Sorting what is read in a tick: heartbeats, announcements and letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import MessageKind

if TYPE_CHECKING:
    from flockcore.flock.layer import Flock
    from flockcore.kernel.mail import Parcel

__all__ = ["Beats", "sort_mail"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Beats:
    """Messages without content, at most one for each edge.

    Attributes:
        edge: edges, shape (n,).
        sequence: 8-bit sequence numbers, shape (n,).
        order: where each stands in the order of sending, shape (n,).
    """

    edge: Indices
    sequence: NDArray[np.uint8]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, parcels: list[Parcel], *, last: bool) -> Self:
        """Join parcels; of several copies along one edge the last one (or the first) is kept."""
        if not parcels:
            return cls(np.zeros(0, np.intp), np.zeros(0, np.uint8), np.zeros(0, np.int64))
        only = parcels[0]
        if len(parcels) == 1 and (only.most is not None or _ascending(only.edge)):
            return cls(only.edge, only.sequence, only.order)
        edge = np.concatenate([parcel.edge for parcel in parcels])
        sequence = np.concatenate([parcel.sequence for parcel in parcels])
        order = np.concatenate([parcel.order for parcel in parcels])
        sorting = np.argsort(edge)
        joined = edge[sorting]
        if not (joined[1:] == joined[:-1]).any():
            return cls(joined, sequence[sorting], order[sorting])
        sorting = np.lexsort((order, edge))
        joined = edge[sorting]
        differs = joined[1:] != joined[:-1]
        keep = sorting[np.r_[differs, True] if last else np.r_[True, differs]]
        return cls(edge[keep], sequence[keep], order[keep])

    def take(self, mask: Mask) -> Self:
        """Return the messages under `mask`."""
        return type(self)(self.edge[mask], self.sequence[mask], self.order[mask])

    def split_by(self, tracked: Mask, calls: Beats) -> tuple[Self, Self]:
        """Split heartbeats by whether the receiver tracks the sender yet.

        Args:
            tracked: which edges are tracked, flat.
            calls: announcements of the same tick.

        Returns:
            Those from tracked peers, and those from peers whose announcement precedes them in the
            same inbox; the others come too early and are passed over.
        """
        if not len(calls.edge):
            # Nobody is announced, so whoever is not tracked is passed over on receipt.
            return self, type(self).of([], last=True)
        known = tracked[self.edge]
        place = np.searchsorted(calls.edge, self.edge)
        place = np.minimum(place, len(calls.edge) - 1)
        announced = (calls.edge[place] == self.edge) & (calls.order[place] < self.order)
        return self.take(known), self.take(~known & announced)


def _ascending(edge: Indices) -> bool:
    return bool((edge[1:] > edge[:-1]).all())


def sort_mail(flock: Flock, parcels: list[Parcel]) -> tuple[Beats, Beats, list[Parcel]]:
    """Sort what is read into heartbeats, announcements and letters; drop what is quarantined."""
    if flock.state.quarantine.active:
        parcels = [parcel.take(~flock.quarantined(parcel.edge)) for parcel in parcels]
    parcels = [parcel for parcel in parcels if len(parcel)]
    beats = [parcel for parcel in parcels if parcel.kind == MessageKind.HEARTBEAT]
    calls = [parcel for parcel in parcels if parcel.kind == MessageKind.DISCOVERY]
    letters = [
        parcel
        for parcel in parcels
        if parcel.kind not in (MessageKind.HEARTBEAT, MessageKind.DISCOVERY)
    ]
    return Beats.of(beats, last=True), Beats.of(calls, last=False), letters
