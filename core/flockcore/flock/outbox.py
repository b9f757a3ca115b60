"""What the operations of the consensus engine hand back, as struct-of-arrays."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.evidence import NO_EVIDENCE, Evidence

__all__ = ["EVERYONE", "NOTHING", "NO_COMPLETIONS", "NO_MESSAGES", "Completions", "Outbox", "Reply"]

EVERYONE = -1
"""Destination of a broadcast. (255, upstream's number, is an ordinary id in a large flock.)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbox:
    """Messages in the order in which they were sent, one row each.

    Attributes:
        sender: Row of the sending node, (m,).
        destination: Id of the addressee, or ``EVERYONE``, (m,).
        kind: ``MessageKind`` number, (m,).
        proposer: Id of the ballot's proposer; of the suspect in EVIDENCE, (m,).
        ballot: Ballot id; the term in EVIDENCE, (m,).
        value: Vote in VOTE, proposal kind in PROPOSAL and RESULT, evidence kind in EVIDENCE, (m,).
        data: Argument of the proposal in PROPOSAL and RESULT, (m,).
        threshold: Raw Q16.16 threshold in PROPOSAL, (m,).
        result: ``Result`` number in RESULT, (m,).
    """

    sender: NDArray[np.intp]
    destination: NDArray[np.int32]
    kind: NDArray[np.uint8]
    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    value: NDArray[np.int16]
    data: NDArray[np.int64]
    threshold: NDArray[np.int64]
    result: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        sender: NDArray[np.intp],
        kind: int,
        *,
        proposer: object,
        ballot: object,
        destination: object = EVERYONE,
        value: object = 0,
        data: object = 0,
        threshold: object = 0,
        result: object = 0,
    ) -> Self:
        """Make messages of one ``kind``; scalars are spread over all senders."""
        return cls(
            sender=sender.astype(np.intp),
            destination=_column(sender, destination, np.int32),
            kind=_column(sender, kind, np.uint8),
            proposer=_column(sender, proposer, np.int32),
            ballot=_column(sender, ballot, np.int32),
            value=_column(sender, value, np.int16),
            data=_column(sender, data, np.int64),
            threshold=_column(sender, threshold, np.int64),
            result=_column(sender, result, np.uint8),
        )

    @property
    def size(self) -> int:
        """Number of messages."""
        return self.sender.size

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Pick messages by index or mask."""
        return _take(self, index)

    def by_sender(self) -> Self:
        """Put the messages in order of sender, each sender's in the order sent."""
        return _take(self, np.argsort(self.sender, kind="stable"))

    @classmethod
    def join(cls, parts: Iterable["Outbox"]) -> "Outbox":
        """Put several outboxes one after another."""
        return _join([part for part in parts if part.size], NO_MESSAGES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Completions:
    """Ballots that came to an end, in the order in which they did.

    A ballot of another node (``proposer`` is not the row's own id) ends with the announced result,
    or EXPIRED when none came; EXPIRED is not to be counted as completed.

    Attributes:
        row: Node at which the ballot ended, (m,).
        proposer: Id of its proposer, (m,).
        ballot: Ballot id, (m,).
        kind: ``ProposalKind`` number, (m,).
        data: Argument of the proposal, (m,).
        result: ``Result`` number, (m,).
        votes: Votes counted, (m,).
        yes: YES among them, (m,).
        no: NO among them, (m,).
        eligible: Size of the electorate, 0 for other nodes' ballots, (m,).
    """

    row: NDArray[np.intp]
    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    kind: NDArray[np.int16]
    data: NDArray[np.int64]
    result: NDArray[np.uint8]
    votes: NDArray[np.int16]
    yes: NDArray[np.int16]
    no: NDArray[np.int16]
    eligible: NDArray[np.int16]

    @property
    def size(self) -> int:
        """Number of ballots that ended."""
        return self.row.size

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Pick completions by index or mask."""
        return _take(self, index)

    @classmethod
    def join(cls, parts: Iterable["Completions"]) -> "Completions":
        """Put several one after another."""
        return _join([part for part in parts if part.size], NO_COMPLETIONS)


def _column[D: np.generic](like: NDArray[np.intp], content: object, dtype: type[D]) -> NDArray[D]:
    made = np.empty(like.shape, dtype)
    made[...] = content
    return made


def _take[T](table: T, index: NDArray[np.intp] | NDArray[np.bool_]) -> T:
    columns = {each.name: getattr(table, each.name)[index] for each in fields(table)}  # type: ignore[arg-type]
    return type(table)(**columns)


def _join[T](parts: list[T], nothing: T) -> T:
    if len(parts) < 2:
        return parts[0] if parts else nothing
    names = [each.name for each in fields(nothing)]  # type: ignore[arg-type]
    return type(nothing)(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


NO_MESSAGES = Outbox.of(np.zeros(0, np.intp), 0, proposer=0, ballot=0)
"""The empty outbox."""

NO_COMPLETIONS = Completions(
    row=np.zeros(0, np.intp),
    proposer=np.zeros(0, np.int32),
    ballot=np.zeros(0, np.int32),
    kind=np.zeros(0, np.int16),
    data=np.zeros(0, np.int64),
    result=np.zeros(0, np.uint8),
    votes=np.zeros(0, np.int16),
    yes=np.zeros(0, np.int16),
    no=np.zeros(0, np.int16),
    eligible=np.zeros(0, np.int16),
)
"""No ballot ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """Outcome of one operation on some nodes.

    Attributes:
        code: ``Code`` number per given row, (n,); empty for a tick.
        ballot: Id of the new ballot per given row, 0 where refused, (n,); empty but for propose.
        outbox: Messages to send.
        completions: Ballots that ended.
        evidence: Equivocation that a node has seen with its own eyes.
    """

    code: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    ballot: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    outbox: Outbox = NO_MESSAGES
    completions: Completions = NO_COMPLETIONS
    evidence: Evidence = NO_EVIDENCE

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be sent, nothing ended and nothing was found out."""
        return not (self.outbox.size or self.completions.size or self.evidence.size)


NOTHING = Reply()
"""Nothing happened."""
