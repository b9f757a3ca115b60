"""Catching equivocation: one id, two contents; one ballot, two results; one voter, YES and NO."""

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.ballot import BallotTable, Content
from flockcore.flock.evidence import NO_EVIDENCE, Evidence, equivocation, fingerprint
from flockcore.flock.rounds import flat

__all__ = ["other_content", "other_result", "other_vote"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]


def other_content(
    table: BallotTable, own_id: NDArray[np.int32], cell: Index, given: Content, now: int
) -> tuple[NDArray[np.bool_], Evidence]:
    """Compare contents given for ballots with those held; who sent both is the proposer.

    Args:
        table: The ballots held.
        own_id: Id of every node, (N,).
        cell: Cells of the ballots, (n,).
        given: What was now said of them, (n,).
        now: Time in microseconds.

    Returns:
        Where they differ, (n,), and the evidence.
    """
    held = table.content(cell)
    differs = (held.kind != given.kind) | (held.data != given.data)
    differs |= held.threshold != given.threshold
    if not differs.any():
        return differs, NO_EVIDENCE
    first, second = held.take(differs), given.take(differs)
    row = cell[differs] // table.places
    evidence = equivocation(
        row,
        own_id[row],
        held.proposer[differs].astype(np.int32),
        first.ballot,
        fingerprint(first.kind, first.data, first.threshold),
        fingerprint(second.kind, second.data, second.threshold),
        now,
    )
    return differs, evidence


def other_result(
    table: BallotTable, own_id: NDArray[np.int32], cell: Index, result: Ints, now: int
) -> Evidence:
    """Compare announced results with those announced before."""
    before = flat(table.announced)[cell].astype(np.int64)
    differs = (before != 0) & (before != result)
    if not differs.any():
        return NO_EVIDENCE
    cell = cell[differs]
    row = cell // table.places
    return equivocation(
        row,
        own_id[row],
        flat(table.proposer)[cell],
        flat(table.ballot)[cell].astype(np.int64),
        fingerprint(before[differs]),
        fingerprint(result[differs]),
        now,
    )


def other_vote(
    table: BallotTable,
    own_id: NDArray[np.int32],
    seat: Index,
    votes: tuple[Ints, Ints],
    now: int,
) -> Evidence:
    """Accuse the voters of some seats of two contradicting ``votes``."""
    if not seat.size:
        return NO_EVIDENCE
    cell = seat // table.voter.shape[2]
    row = cell // table.places
    return equivocation(
        row,
        own_id[row],
        flat(table.voter)[seat],
        flat(table.ballot)[cell].astype(np.int64),
        fingerprint(votes[0]),
        fingerprint(votes[1]),
        now,
    )
