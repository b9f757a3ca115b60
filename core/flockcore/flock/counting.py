"""Counting votes: many at once, each voter once, up to the vote that decides (spec section 7).

A *seat* is the flat index ``cell * V + position`` of a voter in a ballot's electorate.
"""

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.ballot import BallotTable, evaluate
from flockcore.flock.codes import Result, Vote
from flockcore.flock.rounds import flat, running_count

__all__ = ["Votes", "contradictions", "count", "find_seats", "first_votes"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Votes = tuple[Index, Ints]
"""Seats (n,) and the votes given in them (n,), in order of arrival."""


def find_seats(table: BallotTable, cell: Index, voter: Ints) -> Index:
    """Find the seat of each voter in each ballot, -1 where it has none, (n,)."""
    width = table.voter.shape[2]
    match = table.voter.reshape(-1, width)[cell] == voter[:, None]
    seat: Index = cell * width + match.argmax(axis=1)
    return np.where(match.any(axis=1) & (cell >= 0), seat, -1)


def first_votes(table: BallotTable, votes: Votes) -> tuple[Mask, Ints]:
    """Tell the votes that find their seat open, and what had been said there before.

    Returns:
        Mask of the first votes, (n,), and per vote the earlier vote of its seat; -1 for a first
        vote.
    """
    seat, vote = votes
    width = table.voter.shape[2]
    closed = (flat(table.closed)[seat // width] >> (seat % width)) & 1 == 1
    prior = np.where(closed, flat(table.vote)[seat], np.int64(-1))
    if seat.size < 2:
        return ~closed, prior
    _, head, group = np.unique(seat, return_index=True, return_inverse=True)
    repeat = head[group] != np.arange(seat.size)
    prior = np.where(repeat & ~closed, vote[head[group]], prior)
    return ~(closed | repeat), prior


def contradictions(prior: Ints, vote: Ints) -> Mask:
    """Tell where a seat said both YES and NO; ABSTAIN and BUSY contradict nothing, (n,)."""
    both: Mask = (prior == Vote.YES) & (vote == Vote.NO)
    both |= (prior == Vote.NO) & (vote == Vote.YES)
    return both


def count(table: BallotTable, votes: Votes, *, closing: bool) -> tuple[Index, NDArray[np.uint8]]:
    """Add first votes to open ballots, in order; what follows the deciding vote is not counted.

    Args:
        table: The ballots; counts and seats change, results do not.
        votes: First votes of open ballots.
        closing: Whether ABSTAIN closes a seat.

    Returns:
        Cells of the ballots that are now decided, in order of decision, and their results.
    """
    seat, vote = votes
    order = np.argsort(seat // table.voter.shape[2], kind="stable")
    seat, vote = seat[order], vote[order]
    cell = seat // table.voter.shape[2]
    head = np.ones(cell.size, np.bool_)
    head[1:] = cell[1:] != cell[:-1]
    start, group = np.flatnonzero(head), np.cumsum(head) - 1
    place = np.arange(cell.size)
    total = flat(table.votes)[cell] + place - start[group] + 1
    yes = flat(table.yes)[cell] + running_count(vote == Vote.YES, start, group)
    no = flat(table.no)[cell] + running_count(vote == Vote.NO, start, group)
    threshold = flat(table.threshold)[cell]
    result = evaluate(flat(table.eligible)[cell].astype(np.int64), total, yes, threshold)
    decided = np.where(result != Result.PENDING, place, cell.size)
    end = np.append(start[1:], cell.size) - 1
    last = np.minimum(np.minimum.reduceat(decided, start), end)
    counted = place <= last[group]
    _close(table, seat[counted], vote[counted], closing=closing)
    for column, content in ((table.votes, total), (table.yes, yes), (table.no, no)):
        flat(column)[cell[last]] = content[last]
    over = last[result[last] != Result.PENDING]
    over = over[np.argsort(order[over], kind="stable")]
    return cell[over], result[over]


def _close(table: BallotTable, seat: Index, vote: Ints, *, closing: bool) -> None:
    width = table.voter.shape[2]
    flat(table.vote)[seat] = vote
    bit = np.left_shift(1, seat % width).astype(np.int32)
    if not closing:
        bit[vote == Vote.ABSTAIN] = 0
    np.bitwise_or.at(flat(table.closed), seat // width, bit)
