"""The consensus engine of one node, written down as slowly and plainly as the specification.

The twin of `flockcore.flock.consensus`: property tests run both on the same events.
"""

from dataclasses import dataclass, field

from flockcore.flock.codes import Code, MessageKind, ProposalKind, Result, Vote
from flockcore.flock.consensus import BUSY_VOTE, ConsensusOptions

EVERYONE = -1


@dataclass
class SlowBallot:
    proposer: int
    ballot: int
    kind: int
    data: int
    threshold: int
    deadline: int
    electorate: list = field(default_factory=list)
    seats: dict = field(default_factory=dict)
    votes: int = 0
    yes: int = 0
    no: int = 0
    result: int = Result.PENDING
    announced: int = 0

    @property
    def key(self) -> tuple:
        return self.proposer, self.ballot

    @property
    def content(self) -> tuple:
        return self.kind, self.data, self.threshold

    @property
    def finished(self) -> bool:
        return self.result != Result.PENDING

    def row(self) -> tuple:
        counts = (self.votes, self.yes, self.no, len(self.electorate))
        return (*self.key, *self.content, self.deadline, *counts, int(self.result))


def slow_evaluate(eligible: int, votes: int, yes: int, threshold: int) -> Result:
    """The integer specification: no division, hence no rounding."""
    if eligible == 0:
        return Result.REJECTED
    silent = max(eligible - votes, 0)
    if (yes + silent) * 65536 < eligible * threshold:
        return Result.REJECTED
    if yes * 65536 >= eligible * threshold:
        return Result.APPROVED
    return Result.PENDING if silent else Result.REJECTED


class SlowConsensus:
    """One node; every operation returns its code and notes messages, endings and liars."""

    def __init__(self, own_id: int, options: ConsensusOptions, electors: int, places: int) -> None:
        self.own_id, self.options = own_id, options
        self.electors, self.places = electors, places
        self.electorate: list[int] = []
        self.next_ballot = 1
        self.table: list[SlowBallot] = []
        self.inhibitions: list[list] = []  # [key, expiry]
        self.history: list[tuple] = []
        self.promises: list[list] = []  # [key, kind, until]
        self.sent: list[tuple] = []
        self.ended: list[tuple] = []
        self.liars: list[int] = []

    def set_electorate(self, ids: list[int]) -> None:
        self.electorate = []
        for one in ids:
            if one > 0 and one != self.own_id and one not in self.electorate:
                self.electorate.append(one)
        self.electorate = self.electorate[: self.electors]

    def find(self, key: tuple) -> SlowBallot | None:
        return next((each for each in self.table if each.key == key), None)

    def inhibited(self, key: tuple, now: int) -> bool:
        return any(each == key and expiry > now for each, expiry in self.inhibitions)

    def make_room(self) -> None:
        if self.options.full_table == "evict_finished" and len(self.table) == self.places:
            self.drop_finished()

    def drop_finished(self) -> None:
        self.history += [(each.key, each.result) for each in self.table if each.finished]
        kept = self.options.ballot_history
        self.history = self.history[-kept:] if kept else []
        self.table = [each for each in self.table if not each.finished]

    def barred(self, key: tuple, kind: int, now: int) -> bool:
        if self.options.conflicts == "allow" or kind == ProposalKind.QUARANTINE:
            return False
        binding = [each for each in self.promises if each[2] > now and each[0] != key]
        return len(binding) == self.places or any(each[1] == kind for each in binding)

    def promise(self, key: tuple, kind: int, now: int) -> None:
        if self.options.conflicts == "allow" or kind == ProposalKind.QUARANTINE:
            return
        until = now + 2 * self.options.vote_timeout_us + self.options.result_grace_us
        self.promises = [each for each in self.promises if each[0] != key and each[2] > now]
        self.promises.append([key, kind, until])

    def finish(self, ballot: SlowBallot, result: int) -> None:
        ballot.result = result
        counts = (ballot.votes, ballot.yes, ballot.no, len(ballot.electorate))
        self.ended.append((*ballot.key, ballot.kind, ballot.data, int(result), *counts))
        if result not in (Result.APPROVED, Result.EXPIRED):
            self.promises = [each for each in self.promises if each[0] != ballot.key]
        if ballot.proposer == self.own_id and self.options.announce_results:
            self.send(MessageKind.RESULT, ballot.key, *ballot.content, int(result))

    def send(
        self,
        kind: int,
        key: tuple,
        value: int = 0,
        data: int = 0,
        threshold: int = 0,
        result: int = 0,
        to: int = EVERYONE,
    ) -> None:
        self.sent.append((to, int(kind), *key, int(value), data, threshold, result))

    def propose(self, kind: int, data: int, threshold: int, now: int, min_electors: int) -> Code:
        self.make_room()
        if len(self.electorate) < min_electors:
            return Code.NO_QUORUM
        if len(self.table) == self.places:
            return Code.BUSY
        if self.barred((self.own_id, 0), kind, now):
            return Code.INHIBITED
        while self.find((self.own_id, self.next_ballot)):
            self.next_ballot = self.next_ballot % 65535 + 1
        deadline = now + self.options.vote_timeout_us
        ballot = SlowBallot(self.own_id, self.next_ballot, kind, data, threshold, deadline)
        self.next_ballot = self.next_ballot % 65535 + 1
        ballot.electorate = list(self.electorate)
        if self.options.allow_self_vote:
            ballot.electorate.append(self.own_id)
            ballot.seats[self.own_id] = Vote.YES
            ballot.votes = ballot.yes = 1
            self.promise(ballot.key, kind, now)
        self.table.append(ballot)
        self.send(MessageKind.PROPOSAL, ballot.key, *ballot.content)
        return Code.OK

    def on_proposal(self, proposer: int, ballot: int, content: tuple, wish: int, now: int) -> Code:
        key, kind = (proposer, ballot), content[0]
        if proposer <= 0 or ballot <= 0:
            return Code.INVALID_ARG
        if proposer == self.own_id:
            return Code.OK
        held = self.find(key)
        if held and held.content != content:
            self.liars.append(proposer)
        barred = wish == Vote.YES and self.barred(key, kind, now)
        stop = barred and not held and self.options.conflicts == "inhibit"
        if self.inhibited(key, now) or stop:
            self.send(MessageKind.INHIBIT, key)
            return Code.INHIBITED
        if held:
            return Code.OK
        self.make_room()
        if len(self.table) == self.places:
            answer = BUSY_VOTE if self.options.full_answer == "busy" else Vote.NO
            self.send(MessageKind.VOTE, key, answer, to=proposer)
            return Code.BUSY
        wait = self.options.result_grace_us if self.options.announce_results else 0
        deadline = now + self.options.vote_timeout_us + wait
        self.table.append(SlowBallot(*key, *content, deadline))
        vote = Vote.NO if barred else wish
        if vote == Vote.YES:
            self.promise(key, kind, now)
        self.send(MessageKind.VOTE, key, vote, to=proposer)
        return Code.OK

    def on_vote(self, voter: int, key: tuple, vote: int, now: int) -> Code:
        if voter <= 0 or key[0] <= 0 or key[1] <= 0 or vote == Vote.INHIBIT:
            return Code.INVALID_ARG
        ballot = self.find(key)
        if ballot is None:
            return Code.NOT_FOUND
        if ballot.proposer != self.own_id:
            return Code.INVALID_ARG
        if voter in ballot.electorate and {ballot.seats.get(voter), vote} == {Vote.YES, Vote.NO}:
            self.liars.append(voter)
        if ballot.finished:
            return Code.OK
        if voter not in ballot.electorate:
            return Code.NOT_FOUND
        if voter in ballot.seats:
            return Code.OK
        if self.options.conflicts != "allow" and now >= ballot.deadline:
            return Code.OK
        if vote != Vote.ABSTAIN or self.options.abstain == "closes":
            ballot.seats[voter] = vote
        ballot.votes += 1
        ballot.yes += vote == Vote.YES
        ballot.no += vote == Vote.NO
        size = len(ballot.electorate)
        result = slow_evaluate(size, ballot.votes, ballot.yes, ballot.threshold)
        if result != Result.PENDING:
            self.finish(ballot, result)
        return Code.OK

    def vote(self, key: tuple, vote: int, now: int) -> Code:
        if key[0] <= 0 or key[1] <= 0:
            return Code.INVALID_ARG
        ballot = self.find(key)
        if ballot is None:
            return Code.NOT_FOUND
        if ballot.finished:
            return Code.BUSY
        if vote == Vote.YES:
            if self.barred(key, ballot.kind, now):
                return Code.INHIBITED
            self.promise(key, ballot.kind, now)
        self.send(MessageKind.VOTE, key, vote, to=key[0])
        return Code.OK

    def inhibit(self, key: tuple, now: int) -> Code:
        if key[0] <= 0 or key[1] <= 0:
            return Code.INVALID_ARG
        self.record(key, now)
        self.send(MessageKind.INHIBIT, key)
        return Code.OK

    def on_inhibit(self, sender: int, key: tuple, now: int) -> Code:
        if sender <= 0 or key[0] <= 0 or key[1] <= 0:
            return Code.INVALID_ARG
        if sender == self.own_id:
            return Code.OK
        if self.options.inhibit_from == "electorate" and sender != key[0]:
            ballot = self.find(key)
            if key[0] != self.own_id or not ballot or sender not in ballot.electorate:
                return Code.NOT_FOUND
        self.record(key, now)
        return Code.OK

    def record(self, key: tuple, now: int) -> None:
        expiry = now + self.options.inhibit_duration_us
        known = [each for each in self.inhibitions if each[0] == key]
        if known:
            known[0][1] = expiry
        else:
            if len(self.inhibitions) == self.places:
                del self.inhibitions[0]
            self.inhibitions.append([key, expiry])
        ballot = self.find(key)
        if ballot and not ballot.finished:
            self.finish(ballot, Result.CANCELLED)

    def on_result(self, sender: int, key: tuple, content: tuple, result: int) -> Code:
        final = Result.APPROVED <= result <= Result.CANCELLED
        if key[0] <= 0 or key[1] <= 0 or sender != key[0] or not final:
            return Code.INVALID_ARG
        if key[0] == self.own_id:
            return Code.OK
        ballot = self.find(key)
        if ballot is None:
            return Code.NOT_FOUND
        if ballot.announced not in (0, result):
            self.liars.append(sender)
        if ballot.content != content:
            self.liars.append(sender)
            return Code.OK
        ballot.announced = ballot.announced or result
        if not ballot.finished:
            self.finish(ballot, result)
        return Code.OK

    def result(self, key: tuple) -> int:
        ballot = self.find(key)
        if ballot:
            return ballot.result
        past = [result for each, result in self.history if each == key]
        return past[-1] if past else Result.PENDING

    def tick(self, now: int) -> None:
        before = len(self.ended)
        for ballot in self.table:
            if ballot.finished:
                continue
            if self.inhibited(ballot.key, now):
                self.finish(ballot, Result.CANCELLED)
            elif now >= ballot.deadline:
                self.finish(ballot, self.at_deadline(ballot))
        self.inhibitions = [each for each in self.inhibitions if each[1] > now]
        if len(self.ended) > before:
            self.drop_finished()

    def at_deadline(self, ballot: SlowBallot) -> Result:
        if ballot.proposer != self.own_id and self.options.announce_results:
            return Result.EXPIRED
        size = len(ballot.electorate)
        result = slow_evaluate(size, ballot.votes, ballot.yes, ballot.threshold)
        if result != Result.PENDING:
            return result
        short = self.options.require_all_neighbours and ballot.votes < size
        return Result.TIMEOUT if short else Result.REJECTED
