"""Copies of messages in bulk: where they go, what they carry, and what became of them.

A copy is one integer, the edge that it takes: `observer * R + slot` leads from the node in that
slot of the observer's reach to the observer.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flockcore.kernel.rng import pair_key
from flockcore.kernel.state import Captured, derived, state_fields

__all__ = ["BODY", "FanOut", "Parcel", "Traffic", "join", "pack", "spans", "unpack"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]

BODY = 6
"""Integers that a message carries beside its kind and its sequence number."""


@dataclass(slots=True)
class Parcel:
    """Copies of messages of one kind, as struct of arrays over n copies.

    Attributes:
        kind: message kind.
        edge: the edge that each copy takes, shape (n,).
        order: where each copy stands in the order of sending, shape (n,).
        sequence: 8-bit sequence number, shape (n,).
        body: further content, shape (n, BODY); empty (n, 0) for kinds without.
        most: copies for each receiver, at most, shape (N,); given only where the edges ascend and
            none repeats. Lets the reader of most ticks count no copies.
    """

    kind: int
    edge: Indices
    order: NDArray[np.int64]
    sequence: NDArray[np.uint8]
    body: NDArray[np.int64]
    most: NDArray[np.int16] | None = derived(default=None)

    def __len__(self) -> int:
        return len(self.edge)

    def take(self, index: Indices | Mask) -> "Parcel":
        """Return the copies at `index`: a mask, or positions in ascending order."""
        return Parcel(
            self.kind,
            self.edge[index],
            self.order[index],
            self.sequence[index],
            self.body[index],
            self.most,
        )

    def counts(self, reach: int, nodes: int, rows: Indices | None = None) -> Indices:
        """Return the copies for each of `nodes` receivers, or for `rows` of them."""
        if rows is None or self.most is None:
            counts = np.bincount(self.edge // reach, minlength=nodes)
            return counts if rows is None else counts[rows]
        first, last = self._ranges(rows, reach)
        return last - first

    def _ranges(self, rows: Indices, reach: int) -> tuple[Indices, Indices]:
        first = np.searchsorted(self.edge, rows * reach)
        last = np.searchsorted(self.edge, (rows + 1) * reach)
        return first, last

    def split(self, rows: Indices, reach: int) -> "tuple[Parcel, Parcel]":
        """Return the copies for everybody but `rows`, and those for `rows` (ascending)."""
        if self.most is None:
            mine = np.isin(self.edge // reach, rows)
        else:
            mine = np.zeros(len(self), dtype=np.bool_)
            mine[spans(*self._ranges(rows, reach))] = True
        if not mine.any():
            return self, self.take(mine)
        return self.take(~mine), self.take(mine)


@dataclass(slots=True)
class Traffic:
    """Copies counted in one tick.

    Attributes:
        sent: copies handed to the network, duplicates not included.
        delivered: copies put into an inbox.
        lost: copies that a loss took.
        cut: copies that a partition or cut stopped.
        down: copies for a node that is crashed or absent.
        full: copies for a full inbox.
        merged: unread heartbeats replaced by a newer one of the same sender.
        duplicated: copies that the network added.
        delayed: copies that arrive later than without faults.
        octets: payload bytes handed to the network.
        left: delivered copies that their receivers could not read yet.
    """

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    cut: int = 0
    down: int = 0
    full: int = 0
    merged: int = 0
    duplicated: int = 0
    delayed: int = 0
    octets: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class FanOut:
    """The edges that a set of senders reaches, with what the network asks for.

    Attributes:
        edge: one edge per copy, shape (n,).
        rank: position of each copy's sender among the senders, shape (n,).
        senders: the senders, shape (senders,).
        reach: slots of a node.
        pairs: `flockcore.kernel.rng.pair_key` of each copy, shape (n,).
        most: copies for each receiver, shape (N,), where the edges ascend; see `Parcel`.
    """

    edge: Indices
    rank: NDArray[np.int32]
    senders: Indices
    reach: int
    pairs: NDArray[np.uint64]
    most: NDArray[np.int16] | None = None

    @classmethod
    def along(
        cls,
        edge: Indices,
        rank: NDArray[np.integer],
        senders: Indices,
        reach: int,
        *,
        nodes: int = 0,
    ) -> Self:
        """Return the fan-out along given edges; with `nodes`, they ascend and none repeats."""
        target = edge // reach
        most = np.bincount(target, minlength=nodes).astype(np.int16) if nodes else None
        pairs = pair_key(senders[rank], target)
        return cls(edge, rank.astype(np.int32, copy=False), senders, reach, pairs, most)

    @property
    def source(self) -> Indices:
        """Sender of each copy, shape (n,)."""
        return self.senders[self.rank]

    @property
    def target(self) -> Indices:
        """Receiver of each copy, shape (n,)."""
        return self.edge // self.reach

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.edge.nbytes + self.rank.nbytes + self.pairs.nbytes

    def take(self, mask: Mask) -> "FanOut":
        """Return the copies under `mask`."""
        return FanOut(
            self.edge[mask], self.rank[mask], self.senders, self.reach, self.pairs[mask], self.most
        )


def spans(first: Indices, last: Indices) -> Indices:
    """Return the positions first[0]..last[0]-1, first[1]..last[1]-1 and so on."""
    counts = last - first
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    place: Indices = np.arange(total, dtype=np.intp) + np.repeat(first - (ends - counts), counts)
    return place


def pack(captured: Captured, name: str, parcels: list[Parcel]) -> None:
    """Add parcels to a captured state, as `name.000.edge` and so on."""
    for number, parcel in enumerate(parcels):
        for item in state_fields(parcel):
            captured[f"{name}.{number:03d}.{item}"] = np.array(getattr(parcel, item))


def unpack(captured: Captured, name: str) -> list[tuple[str, Parcel]]:
    """Return the parcels of a captured state, with their prefixes."""
    prefixes = sorted(
        key.rsplit(".", 1)[0]
        for key in captured
        if key.startswith(name + ".") and key.endswith(".kind")
    )
    found = []
    for prefix in prefixes:
        values: dict[str, Any] = {
            part: captured[f"{prefix}.{part}"].copy() for part in state_fields(Parcel)
        }
        values["kind"] = int(values["kind"])
        values["edge"] = values["edge"].astype(np.intp)
        found.append((prefix, Parcel(**values)))
    return found


def join(parcels: list[Parcel]) -> Parcel:
    """Return one parcel with the copies of several of one kind."""
    if len(parcels) == 1:
        return parcels[0]
    return replace(
        parcels[0],
        edge=np.concatenate([parcel.edge for parcel in parcels]),
        order=np.concatenate([parcel.order for parcel in parcels]),
        sequence=np.concatenate([parcel.sequence for parcel in parcels]),
        body=np.concatenate([parcel.body for parcel in parcels]),
        most=None,
    )
