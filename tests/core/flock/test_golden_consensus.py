"""Ballots of the original runtime, event for event (consensus.json)."""

from dataclasses import replace

import numpy as np
import pytest

from flockcore.flock.codes import MessageKind, Vote
from flockcore.flock.consensus import UPSTREAM, Consensus, ConsensusOptions
from flockcore.flock.outbox import EVERYONE, Reply
from golden import Case, cases

# No tag marks it: upstream's node with a full table says NO.
CORRECTED = ConsensusOptions(full_answer="no")
UPSTREAM_OPTION = {
    "Q06": {"announce_results": False},
    "Q10": {"inhibit_from": "anyone"},
    "Q33": {"ballot_history": 0},
}


def options_of(case: Case) -> ConsensusOptions:
    options = CORRECTED
    for tag in case.options:
        # Q08 is guarded by an argument of `propose`, which the driver does not give.
        options = replace(options, **UPSTREAM_OPTION.get(tag, {}))
    return options


class Driver:
    """Runs the events of one case on one node and writes its rows as the recording does."""

    def __init__(self, data: dict, options: ConsensusOptions) -> None:
        timeout, inhibit, self_vote, require_all = data["cfg"]
        options = replace(
            options,
            vote_timeout_us=timeout,
            inhibit_duration_us=inhibit,
            allow_self_vote=bool(self_vote),
            require_all_neighbours=bool(require_all),
        )
        self.announces = options.announce_results
        self.engine = Consensus.create(1, options=options, own_id=[data["my_id"]])
        self.decide = data["decide"]
        self.last_table: list | None = None

    def row(self, event: list) -> list:
        returned, reply = self.apply(event)
        table = self.table()
        shown = 0 if table == self.last_table else table
        self.last_table = table
        used = int((self.engine.inhibitions.proposer[0] > 0).sum())
        return [returned, completions(reply), self.messages(reply), shown, used]

    def apply(self, event: list) -> tuple[object, Reply]:
        name, *given = event
        engine = self.engine
        if name == "e":
            engine.set_electorate([0], np.array([given[0]], np.int32).reshape(1, -1))
            return 0, Reply()
        if name == "q":
            return int(engine.result([0], *given)[0]), Reply()
        *given, now = given
        if name == "t":
            reply = engine.tick(now)
            return reply.completions.size, reply
        if name == "p":
            reply = engine.propose([0], *given, now)
            code = int(reply.code[0])
            return [0, int(reply.ballot[0])] if code == 0 else code, reply
        if name == "P":
            decision = Vote.YES if self.decide is None else self.decide[str(given[2])]
            reply = engine.on_proposal([0], *given, now, decision=decision)
        else:
            operation = {
                "v": engine.on_vote,
                "i": engine.inhibit,
                "I": engine.on_inhibit,
                "m": engine.vote,
            }[name]
            reply = operation([0], *given, now)
        return int(reply.code[0]), reply

    def table(self) -> list:
        t = self.engine.table
        columns = (
            t.proposer,
            t.ballot,
            t.votes,
            t.yes,
            t.no,
            t.eligible,
            t.result,
            t.completed,
            t.deadline,
        )
        return [[int(c[0, i]) for c in columns] for i in np.flatnonzero(t.proposer[0])]

    def messages(self, reply: Reply) -> list:
        out = reply.outbox
        rows = []
        for i in range(out.size):
            if out.kind[i] == MessageKind.RESULT:
                # Upstream has no such message.
                assert self.announces
                continue
            destination = 255 if out.destination[i] == EVERYONE else int(out.destination[i])
            vote = int(out.value[i]) if out.kind[i] == MessageKind.VOTE else -1
            key = [int(out.proposer[i]), int(out.ballot[i])]
            rows.append([int(out.kind[i]), destination, *key, vote])
        return rows


def completions(reply: Reply) -> list:
    c = reply.completions
    columns = (c.proposer, c.ballot, c.result, c.votes, c.yes, c.no, c.eligible)
    return [[int(column[i]) for column in columns] for i in range(c.size)]


def replay(data: dict, options: ConsensusOptions) -> None:
    driver = Driver(data, options)
    for number, (event, expected) in enumerate(zip(data["events"], data["out"], strict=True)):
        assert driver.row(event) == expected, f"event {number}: {event}"


@pytest.mark.parametrize("case", cases("consensus"))
def test_corrected(case: Case) -> None:
    """By the table of tags: corrected behaviour but for the options that a tag asks for."""
    replay(case.data, options_of(case))


@pytest.mark.parametrize("case", cases("consensus", skip=False))
def test_upstream(case: Case) -> None:
    """The upstream profile reproduces every case, those of corrected anomalies too."""
    replay(case.data, UPSTREAM)
