"""Ballots on the network: from letters to the consensus engine and back (spec ekk, 9.3 and 9.8)."""

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import MessageKind, Vote
from flockcore.flock.consensus import Consensus
from flockcore.flock.outbox import EVERYONE, Completions, Outbox, Reply
from flockcore.flock.quarantine import EvidenceBook, from_letters
from flockcore.flock.wire import OCTETS
from flockcore.kernel.channel import Channel
from flockcore.kernel.mail import FanOut, Parcel

__all__ = ["answer", "join_replies", "post", "send_order"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]

_TICK_SHIFT, _STAGE_SHIFT, _SOURCE_SHIFT = 24, 23, 4


def send_order(
    tick: int, source: Indices, phase: int, *, command: bool = False
) -> NDArray[np.int64]:
    """Return where messages stand in the order of sending.

    Within a tick, commands come before the nodes' own ticks, which run in node order; within a
    node, phases of the tick follow each other.

    Args:
        tick: the present tick.
        source: sender of each message, shape (n,).
        phase: phase of the node's tick, below 16.
        command: whether the message comes from a command.
    """
    base = (tick << _TICK_SHIFT) + (0 if command else 1 << _STAGE_SHIFT) + phase
    return (source.astype(np.int64) << _SOURCE_SHIFT) + base


def answer(
    consensus: Consensus,
    book: EvidenceBook,
    channel: Channel,
    ids: NDArray[np.int32],
    parcels: list[Parcel],
    now: int,
) -> list[Reply]:
    """Let nodes read their letters, each in the order of its inbox.

    A node's letters form runs of one kind. The first runs of all nodes are read together, then the
    second ones, and so on, so that bulk stays bulk and no node's order is disturbed.

    Args:
        consensus: the engine.
        book: evidence that voters look at before they answer a quarantine.
        channel: resolves senders.
        ids: id of each node, shape (N,).
        parcels: letters that are read in this tick.
        now: time in microseconds.

    Returns:
        What the engine replied, in order.
    """
    edge = np.concatenate([parcel.edge for parcel in parcels])
    kind = np.concatenate([np.full(len(parcel), parcel.kind) for parcel in parcels])
    order = np.concatenate([parcel.order for parcel in parcels])
    body = np.concatenate([parcel.body for parcel in parcels])
    row = edge // channel.reach
    sorting = np.lexsort((order, row))
    edge, kind, body, row = edge[sorting], kind[sorting], body[sorting], row[sorting]
    sender = ids[channel.source(edge)].astype(np.int64)
    first = np.r_[True, row[1:] != row[:-1]]
    run = np.cumsum(first | np.r_[True, kind[1:] != kind[:-1]])
    run -= np.repeat(run[first], np.diff(np.r_[np.flatnonzero(first), len(row)]))
    replies = []
    for turn in range(int(run.max()) + 1):
        for one in np.unique(kind[run == turn]):
            mine = np.flatnonzero((run == turn) & (kind == one))
            replies.append(
                _read(consensus, book, int(one), row[mine], sender[mine], body[mine], now)
            )
    return replies


def _read(
    consensus: Consensus,
    book: EvidenceBook,
    kind: int,
    row: Indices,
    sender: NDArray[np.int64],
    body: NDArray[np.int64],
    now: int,
) -> Reply:
    proposer, ballot, value, data, threshold, result = body.T
    match kind:
        case MessageKind.PROPOSAL:
            # The proposer is who the transport says it is (PBZ-4).
            decision = book.decide(row, value, data)
            return consensus.on_proposal(
                row, sender, ballot, value, data, threshold, now, decision=decision
            )
        case MessageKind.VOTE:
            return consensus.on_vote(row, sender, proposer, ballot, value, now)
        case MessageKind.INHIBIT:
            return consensus.on_inhibit(row, sender, proposer, ballot, now)
        case MessageKind.RESULT:
            return consensus.on_result(
                row, sender, proposer, ballot, value, data, threshold, result, now
            )
        case MessageKind.EVIDENCE:
            return Reply(
                evidence=from_letters(row, sender, proposer, ballot, value, data, threshold, now)
            )
    raise AssertionError(kind)  # pragma: no cover - the channel carries no other letter


def join_replies(replies: list[Reply]) -> tuple[Outbox, Completions]:
    """Return the messages and the endings of several replies, in order."""
    return (
        Outbox.join(reply.outbox for reply in replies),
        Completions.join(reply.completions for reply in replies),
    )


def post(
    channel: Channel,
    outbox: Outbox,
    *,
    row_of: NDArray[np.intp],
    lied: Mask,
    tick: int,
    command: bool = False,
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Send letters: broadcasts to all hearers, votes to the proposer alone.

    A lying node sends a second, opposite vote after each vote, and tells its hearers with odd
    numbers another content of its proposals.

    Args:
        channel: where to send them.
        outbox: the letters.
        row_of: node by id.
        lied: letters about which their senders equivocate, shape (letters,).
        tick: the present tick.
        command: whether the letters come from a command.

    Returns:
        Senders, and the copies and the bytes in which each letter was sent, to be counted.
    """
    senders, copies, octets = [], [], []
    for kind in np.unique(outbox.kind):
        mine = np.flatnonzero(outbox.kind == kind)
        letters, forked = outbox.take(mine), lied[mine]
        if kind == MessageKind.VOTE:
            letters = _forked_votes(letters, forked)
        order = send_order(tick, letters.sender, 1, command=command)
        for along, body in _routes(channel, letters, row_of, forked):
            channel.send(
                kind=int(kind),
                along=along,
                order=order,
                tick=tick,
                octets=OCTETS[MessageKind(int(kind))],
                body=body,
            )
            senders.append(letters.sender)
            copies.append(np.bincount(along.rank, minlength=letters.size))
            octets.append(copies[-1] * OCTETS[MessageKind(int(kind))])
    return np.concatenate(senders), np.concatenate(copies), np.concatenate(octets)


def _forked_votes(letters: Outbox, lied: Mask) -> Outbox:
    liars = np.flatnonzero(lied & (letters.value != Vote.ABSTAIN))
    if not len(liars):
        return letters
    second = letters.take(liars)
    second.value[...] = np.where(second.value == Vote.YES, Vote.NO, Vote.YES)
    return Outbox.join([letters, second])


def _routes(
    channel: Channel, letters: Outbox, row_of: NDArray[np.intp], lied: Mask
) -> list[tuple[FanOut, NDArray[np.int64]]]:
    body = np.stack(
        [
            letters.proposer,
            letters.ballot,
            letters.value,
            letters.data,
            letters.threshold,
            letters.result,
        ],
        axis=1,
    ).astype(np.int64)
    if (letters.destination != EVERYONE).all():
        target = row_of[letters.destination]
        edge = channel.edge_from(letters.sender, target)
        rank = np.flatnonzero(edge >= 0)
        return [(FanOut.along(edge[rank], rank, letters.sender, channel.reach), body)]
    along = channel.fan_out(letters.sender)
    forked = lied[along.rank] & (along.target % 2 == 1)
    if letters.kind[0] != MessageKind.PROPOSAL or not forked.any():
        return [(along, body)]
    other = body.copy()
    other[:, 3] ^= 1
    return [(along.take(~forked), body), (along.take(forked), other)]
