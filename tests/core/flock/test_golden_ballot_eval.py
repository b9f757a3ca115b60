"""All orders of votes of the original runtime (ballot_eval.json)."""

import numpy as np
import pytest

from flockcore.flock.consensus import Consensus, ConsensusOptions
from golden import Case, cases

NOW = 1000


@pytest.mark.parametrize("case", cases("ballot_eval"))
def test_vote_orders(case: Case) -> None:
    """One node per order of votes; all nodes count their votes at once, one column a call."""
    size, rows = case.data["n"], case.data["rows"]
    count = len(rows)
    engine = Consensus.create(count, options=ConsensusOptions(allow_self_vote=False))
    nodes = np.arange(count)
    peers = nodes[:, None] + 2 + np.arange(size)
    engine.set_electorate(nodes, peers)
    engine.propose(nodes, 0, 0, case.data["thr"], NOW)
    decided_after = np.zeros(count, int)
    result = np.zeros(count, int)
    for turn in range(size):
        votes = [1 if row[0][turn] == "Y" else 2 for row in rows]
        ended = engine.on_vote(nodes, peers[:, turn], nodes + 1, 1, votes, NOW).completions
        decided_after[ended.row] = turn + 1
        result[ended.row] = ended.result
    expected = [row[1:] for row in rows]
    assert np.stack([decided_after, result], axis=1).tolist() == expected


@pytest.mark.parametrize("case", cases("ballot_eval"))
def test_vote_orders_in_one_call(case: Case) -> None:
    """The same votes, all handed over in a single call."""
    size, rows = case.data["n"], case.data["rows"]
    count = len(rows)
    engine = Consensus.create(count, options=ConsensusOptions(allow_self_vote=False))
    nodes = np.arange(count)
    peers = nodes[:, None] + 2 + np.arange(size)
    engine.set_electorate(nodes, peers)
    engine.propose(nodes, 0, 0, case.data["thr"], NOW)
    votes = np.array([[1 if letter == "Y" else 2 for letter in row[0]] for row in rows])
    every = np.repeat(nodes, size)
    engine.on_vote(every, peers.ravel(), every + 1, 1, votes.ravel(), NOW)
    table = engine.table
    counted = np.stack([table.votes[:, 0], table.result[:, 0]], axis=1)
    assert counted.tolist() == [row[1:] for row in rows]
