"""From evidence to quarantine and back (spec ekk, section 8; corrections Q26).

A node that holds evidence tells it to everyone and puts a QUARANTINE ballot to its electorate,
without the suspect. Who votes looks for evidence of its own. Once the ballot is approved, every
node that holds evidence drops what comes from the suspect, until another ballot lifts it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.flock.ballot import SUPERMAJORITY, forget
from flockcore.flock.codes import Code, MessageKind, ProposalKind, Vote
from flockcore.flock.consensus import Consensus
from flockcore.flock.evidence import (
    MAX_WITNESSES,
    PAYLOAD_BYTES,
    Evidence,
    EvidenceKind,
    EvidenceOptions,
    gather,
    verify,
)
from flockcore.flock.outbox import Outbox, Reply
from flockcore.flock.rounds import columns, first_code, occurrence

__all__ = ["EvidenceBook", "Quarantine", "from_letters", "propose_quarantine", "to_letters"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]

_NUMBERS: dict[EvidenceKind, tuple[tuple[int, str], tuple[int, str]]] = {
    EvidenceKind.EQUIVOCATION: ((4, "<u8"), (12, "<u8")),
    EvidenceKind.TIMING_ANOMALY: ((0, "<u8"), (8, "<u8")),
    EvidenceKind.STATE_INVALID: ((0, "<u1"), (1, "<u1")),
}


@dataclass(kw_only=True, slots=True)
class Quarantine:
    """Who drops whose messages.

    Attributes:
        own_id: Id of each node, (N,).
        suspect: Quarantined ids, 0 = free place, (N, Q).
        since: When each quarantine began, microseconds, (N, Q).
        active: Number of quarantines in force at all nodes.
    """

    own_id: NDArray[np.int32]
    suspect: NDArray[np.int32]
    since: NDArray[np.int64]
    active: int = 0

    @classmethod
    def create(cls, count: int, *, own_id: ArrayLike | None = None, places: int = 8) -> Self:
        """Make the quarantines of ``count`` nodes, at most ``places`` ids at each."""
        ids = np.arange(1, count + 1) if own_id is None else np.asarray(own_id)
        return cls(
            own_id=ids.astype(np.int32),
            suspect=np.zeros((count, places), np.int32),
            since=np.zeros((count, places), np.int64),
        )

    def count(self, rows: ArrayLike) -> NDArray[np.intp]:
        """Return how many ids each of ``rows`` has in quarantine, (n,)."""
        used = self.suspect[np.asarray(rows, np.intp)] > 0
        return used.sum(axis=-1, dtype=np.intp)

    def holds(self, rows: ArrayLike, ids: ArrayLike) -> Mask:
        """Tell which of ``rows`` have which of ``ids`` in quarantine, (n,)."""
        index, (wanted,) = columns(rows, ids)
        if not self.active:
            return np.zeros(index.size, np.bool_)
        held: Mask = (self.suspect[index] == wanted[:, None]).any(axis=1)
        return held & (wanted > 0)

    def execute(
        self, rows: ArrayLike, ids: ArrayLike, now: int, *, highest_id: int | None = None
    ) -> NDArray[np.int8]:
        """Put ids into quarantine; doing so again changes nothing but its time.

        Args:
            rows: Unique rows, (n,).
            ids: Whom, one for all or one per row.
            now: Time in microseconds.
            highest_id: Highest id of a module, ``None``: no limit.

        Returns:
            Codes OK, INVALID_ARG (0, too high, or the node itself) or NO_MEMORY, (n,).
        """
        index, (wanted,) = columns(rows, ids)
        here = self.suspect[index]
        known = (here == wanted[:, None]).any(axis=1)
        own = wanted == self.own_id[index]
        code = first_code(
            index.size,
            (~_is_id(wanted, highest_id) | own, Code.INVALID_ARG),
            (~known & (here > 0).all(axis=1), Code.NO_MEMORY),
        )
        go = code == Code.OK
        same = here == wanted[:, None]
        place = np.where(known, same.argmax(axis=1), (here == 0).argmax(axis=1))
        self.suspect[index[go], place[go]] = wanted[go]
        self.since[index[go], place[go]] = now
        self.active += int((go & ~known).sum())
        return code

    def lift(
        self, rows: ArrayLike, ids: ArrayLike, *, highest_id: int | None = None
    ) -> NDArray[np.int8]:
        """End quarantines; lifting what is not in force changes nothing.

        Returns:
            Codes OK or INVALID_ARG (0, or too high), (n,).
        """
        index, (wanted,) = columns(rows, ids)
        good = _is_id(wanted, highest_id)
        same = self.suspect[index] == wanted[:, None]
        known = same.any(axis=1) & good
        at = (index[known], same.argmax(axis=1)[known])
        self.suspect[at] = 0
        self.since[at] = 0
        self.active -= int(known.sum())
        return first_code(index.size, (~good, Code.INVALID_ARG))

    def reset(self, rows: ArrayLike) -> None:
        """Lift every quarantine at ``rows`` (unique), as a restart does."""
        index = np.atleast_1d(np.asarray(rows, np.intp))
        self.active -= int(self.count(index).sum())
        self.suspect[index] = 0
        self.since[index] = 0


@dataclass(kw_only=True, slots=True)
class EvidenceBook:
    """Evidence that each node believes, oldest first, one entry a suspect and kind.

    Attributes:
        suspect: Id of the accused, 0 = free, (N, E).
        kind: ``EvidenceKind`` number, (N, E).
        witness: Ids of the witnesses, (N, E, 3).
        payload: Payload of the first piece, (N, E, 24).
        time: When it was noted, microseconds, (N, E).
    """

    suspect: NDArray[np.int32]
    kind: NDArray[np.uint8]
    witness: NDArray[np.int32]
    payload: NDArray[np.uint8]
    time: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int, places: int = 4) -> Self:
        """Make the books of ``count`` nodes."""
        shape = (count, places)
        return cls(
            suspect=np.zeros(shape, np.int32),
            kind=np.zeros(shape, np.uint8),
            witness=np.zeros((*shape, MAX_WITNESSES), np.int32),
            payload=np.zeros((*shape, PAYLOAD_BYTES), np.uint8),
            time=np.zeros(shape, np.int64),
        )

    def add(self, evidence: Evidence, options: EvidenceOptions, now: int) -> Mask:
        """Note what is to be believed; a further witness of what is known is added to it.

        Args:
            evidence: Pieces; holders may repeat, (m,).
            options: How they are judged.
            now: Time in microseconds.

        Returns:
            Mask of the pieces that accuse anew, (m,).
        """
        fresh = np.zeros(evidence.size, np.bool_)
        believed = np.flatnonzero(verify(evidence, options))
        rank = occurrence(evidence.holder[believed])
        for turn in range(int(rank.max(initial=-1)) + 1):
            which = believed[rank == turn]
            fresh[which] = self._add(evidence.take(which), now)
        return fresh

    def _add(self, evidence: Evidence, now: int) -> Mask:
        rows = evidence.holder
        same = self.suspect[rows] == evidence.suspect[:, None]
        same &= self.kind[rows] == evidence.kind[:, None]
        known = same.any(axis=1)
        self._add_witness(evidence.take(known), same.argmax(axis=1)[known])
        rows, new = rows[~known], evidence.take(~known)
        full = rows[self.suspect[rows, -1] > 0]
        for column in (self.suspect, self.kind, self.witness, self.payload, self.time):
            column[full, :-1] = column[full, 1:]
            column[full, -1] = 0
        place = (self.suspect[rows] > 0).sum(axis=1)
        looked_at = np.arange(MAX_WITNESSES) < new.count[:, None]
        self.suspect[rows, place] = new.suspect
        self.kind[rows, place] = new.kind
        self.witness[rows, place] = np.where(looked_at, new.witness, 0)
        self.payload[rows, place] = new.payload
        self.time[rows, place] = now
        fresh: Mask = ~known
        return fresh

    def _add_witness(self, evidence: Evidence, place: Index) -> None:
        """Add the first witness of each piece to a known entry that has room for it."""
        here = self.witness[evidence.holder, place]
        first = evidence.witness[:, 0]
        missing = ~(here == first[:, None]).any(axis=1) & (here == 0).any(axis=1)
        free = (here == 0).argmax(axis=1)[missing]
        self.witness[evidence.holder[missing], place[missing], free] = first[missing]

    def accuses(self, rows: ArrayLike, ids: ArrayLike) -> Mask:
        """Tell which of ``rows`` hold evidence against which of ``ids``, (n,)."""
        index, (wanted,) = columns(rows, ids)
        held: Mask = (self.suspect[index] == wanted[:, None]).any(axis=1)
        return held & (wanted > 0)

    def decide(self, rows: ArrayLike, kind: ArrayLike, data: ArrayLike) -> Ints:
        """Vote on proposals: YES, but NO to a quarantine without evidence of one's own, (n,)."""
        index, (kinds, suspects) = columns(rows, kind, data)
        refuse = (kinds == ProposalKind.QUARANTINE) & ~self.accuses(index, suspects)
        return np.where(refuse, int(Vote.NO), int(Vote.YES)).astype(np.int64)

    def reset(self, rows: ArrayLike) -> None:
        """Forget everything at ``rows``, as a restart does."""
        forget(self, np.atleast_1d(np.asarray(rows, np.intp)))


def propose_quarantine(
    consensus: Consensus,
    suspect: ArrayLike,
    evidence: Evidence,
    options: EvidenceOptions,
    now: int,
    *,
    min_electors: int = 0,
) -> Reply:
    """Let the holders of evidence put a QUARANTINE ballot to their electorates.

    Args:
        consensus: The ballots.
        suspect: Whom, one per piece of evidence, (m,).
        evidence: Why, (m,); the holders propose.
        options: How evidence is judged.
        now: Time in microseconds.
        min_electors: Quorum guard, see ``Consensus.propose``.

    Returns:
        Codes, (m,): INVALID_ARG where the suspect is 0, is not the evidence's, or the evidence is
        not to be believed; else as ``Consensus.propose``. Ballot ids and PROPOSAL messages.
    """
    index, (wanted,) = columns(evidence.holder, suspect)
    good = verify(evidence, options) & (wanted > 0)
    if options.suspect_match:
        good &= wanted == evidence.suspect
    code = np.full(index.size, int(Code.INVALID_ARG), np.int8)
    ballot = np.zeros(index.size, np.int32)
    if not good.any():
        return Reply(code=code, ballot=ballot)
    reply = consensus.propose(
        index[good],
        ProposalKind.QUARANTINE,
        wanted[good],
        SUPERMAJORITY,
        now,
        min_electors=min_electors,
        without=0 if options.suspect_votes else wanted[good],
    )
    code[good] = reply.code
    ballot[good] = reply.ballot
    return Reply(code=code, ballot=ballot, outbox=reply.outbox, completions=reply.completions)


def to_letters(evidence: Evidence) -> Outbox:
    """Tell evidence to everyone: EVIDENCE messages from the holders, who are the witnesses.

    The suspect travels as ``proposer``, the term as ``ballot``, the kind as ``value``, the two
    numbers that prove it as ``data`` and ``threshold``.
    """
    first, second = np.zeros((2, evidence.size), np.int64)
    for kind, ((at_first, dtype), (at_second, _)) in _NUMBERS.items():
        mine = evidence.kind == kind
        width = int(dtype[2:])
        first[mine] = evidence.number(at_first, width)[mine].astype(np.int64)
        second[mine] = evidence.number(at_second, width)[mine].astype(np.int64)
    term = np.where(evidence.kind == EvidenceKind.EQUIVOCATION, evidence.number(0, 4), 0)
    return Outbox.of(
        evidence.holder,
        MessageKind.EVIDENCE,
        proposer=evidence.suspect,
        ballot=term,
        value=evidence.kind,
        data=first,
        threshold=second,
    )


def from_letters(
    rows: ArrayLike,
    sender: ArrayLike,
    suspect: ArrayLike,
    term: ArrayLike,
    kind: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    now: int,
) -> Evidence:
    """Read EVIDENCE messages as ``to_letters`` writes them; the witness is the sender.

    Args:
        rows: Receiving nodes, (m,).
        sender: Ids of the senders.
        suspect: Ids of the accused (``proposer``).
        term: Ballot ids (``ballot``).
        kind: ``EvidenceKind`` numbers (``value``).
        first: First number (``data``).
        second: Second number (``threshold``).
        now: Time in microseconds.
    """
    index, (witness, accused, terms, kinds, one, other) = columns(
        rows, sender, suspect, term, kind, first, second
    )
    parts = []
    order = []
    for each, ((at_first, dtype), (at_second, _)) in _NUMBERS.items():
        mine = np.flatnonzero(kinds == each)
        numbers = [(at_first, dtype, one[mine]), (at_second, dtype, other[mine])]
        if each == EvidenceKind.EQUIVOCATION:
            numbers.append((0, "<u4", terms[mine]))
        parts.append(gather(each, index[mine], witness[mine], accused[mine], now, numbers))
        order.append(mine)
    return Evidence.join(parts).take(np.argsort(np.concatenate(order), kind="stable"))


def _is_id(ids: Ints, highest: int | None) -> Mask:
    good: Mask = ids > 0
    return good if highest is None else good & (ids <= highest)
